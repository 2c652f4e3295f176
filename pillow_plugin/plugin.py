"""Pillow's side of reading: a lazily loaded ImageFile, and registration."""

from __future__ import annotations

import contextlib
import math
import threading

from PIL import Image, ImageFile, UnidentifiedImageError

from pico_plugins.errors import PicoError
from pico_plugins.format.container import MAGIC
from pico_plugins.format.header import MAX_PIXELS, read_head

from .options import OPTIONS
from .saving import save_all_driver, save_driver


def accept(prefix: bytes) -> bool:
    """Whether a file that starts with ``prefix`` (16 bytes) is ours."""
    return prefix.startswith(MAGIC)


class PicoImageFile(ImageFile.ImageFile):
    """A .pico file. Opening reads the header and metadata; pixels are decoded on first use."""

    format = "PICO"
    format_description = "PICO learned image"
    _coded, _reduction = False, 1  # an unpickled image has its pixels and never sees _open
    _loading = contextlib.nullcontext()

    def _open(self) -> None:
        self._begin = self.fp.tell()
        try:
            header, _ = read_head(self.fp)
        except PicoError as error:
            # For a SyntaxError, "not mine", Image.open raises the same without telling why. But nobody else's files
            # start with our magic.
            msg = f"cannot identify image file {self.filename or self.fp!r}: {error}"
            raise UnidentifiedImageError(msg) from error
        self._header = header
        self._size = header.width, header.height
        self._pixels = min(header.width * header.height, MAX_PIXELS)  # Pillow's own limit may have been taken away
        self._mode = header.mode
        self.info.update(header.info())
        self.tile = [ImageFile._Tile("raw", (0, 0, *self._size), 0, self._mode)]
        self._coded, self._reduction = True, 1
        self._loading = threading.RLock()  # one image may be shared by threads, all of which load it first

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[float, ...]] | None:
        """Prepare to decode 2, 4 or 8 times smaller, as long as the result is not smaller than ``size``.

        As for JPEG files: ``Image.thumbnail`` calls it. Before the pixels are loaded, once; ``mode`` is ignored.
        Returns the mode and the box of the result that holds the image, or None if nothing changes.
        """
        if not (self._coded and self._reduction == 1 and size):
            return None
        width, height = self.size
        room = min(width // max(math.ceil(size[0]), 1), height // max(math.ceil(size[1]), 1))
        self._reduction = max(by for by in self._header.reductions if by <= max(room, 1))
        if self._reduction == 1:
            return None
        self._size = -(-width // self._reduction), -(-height // self._reduction)
        self.tile = [ImageFile._Tile("raw", (0, 0, *self._size), 0, self._mode)]
        return self.mode, (0, 0, width / self._reduction, height / self._reduction)

    @property
    def text(self) -> dict[str, str]:
        """The file's texts, keyword -> text, as Pillow's PNG files have them."""
        return self.info.get("text", {})

    def load_seek(self, pos: int) -> None:
        """Nothing to seek: the pixels are in memory. That this exists tells Pillow not to map or feed the file."""

    def load(self) -> Image.core.PixelAccess | None:
        """Decode. Raises ``OSError`` for damaged or truncated data, and if the file is not the one that was opened.

        Under ``ImageFile.LOAD_TRUNCATED_IMAGES`` tiles that cannot be decoded are gray instead, and their numbers stand
        in ``info["pico"]["damaged"]``.
        """
        with self._loading:
            self._load_pixels()
        return super().load()

    def _load_pixels(self) -> None:
        if self.tile and self._coded:
            damaged = [] if ImageFile.LOAD_TRUNCATED_IMAGES else None
            try:
                self.im = self._decoded(damaged)
            except PicoError as error:
                raise OSError(str(error)) from error
            if damaged:
                self.info["pico"]["damaged"] = damaged
            self.tile, self.readonly, self._coded = [], 0, False
            if self._exclusive_fp:
                self.fp.close()
            self.fp = None

    def _decoded(self, damaged: list[int] | None) -> Image.core.ImagingCore:
        """The pixels, tile by tile put where Pillow has them: no second copy of them all is made."""
        from pico_plugins.decoder import decoded_tiles
        from pico_plugins.format.reader import TileReader

        self._check_open()
        self.fp.seek(self._begin)
        header, _ = read_head(self.fp)
        if header == self._header:  # a larger image would be over the limit
            self.fp.seek(self._begin)
            reader = TileReader(self.fp, self._pixels)
            header = reader.header
        if header != self._header:
            msg = "the file was changed after it had been opened: open it again"
            raise OSError(msg)
        options = dict(realism=OPTIONS.realism, threads=OPTIONS.threads, backend=OPTIONS.backend, damaged=damaged)
        image = Image.core.new(self.mode, self.size)
        with decoded_tiles(reader, reader.header.grid, reduction=self._reduction, **options) as tiles:
            for tile, pixels in tiles:
                (top, bottom), (left, right) = tile.reduced(self._reduction).rows, tile.reduced(self._reduction).columns
                image.paste(Image.fromarray(pixels).im, (left, top, right, bottom))
        return image

    def _check_open(self) -> None:
        if self.fp is None:
            msg = "Operation on closed image"
            raise ValueError(msg)

    def verify(self) -> None:
        """Check every checksum without decoding. Raises ``OSError`` if one differs or data is missing."""
        from pico_plugins.format.reader import check_file

        if self.tile and self._coded:
            self._check_open()
            self.fp.seek(self._begin)
            try:
                check_file(self.fp, self._pixels)
            except PicoError as error:
                raise OSError(str(error)) from error
        super().verify()


def register_pico_opener(**options: object) -> None:
    """Make Pillow open and save .pico files. May be called again, with options of :class:`pillow_plugin.Options`."""
    OPTIONS.update(**options)
    Image.register_open(PicoImageFile.format, PicoImageFile, accept)
    Image.register_save(PicoImageFile.format, save_driver)
    Image.register_save_all(PicoImageFile.format, save_all_driver)
    Image.register_extension(PicoImageFile.format, ".pico")
    Image.register_mime(PicoImageFile.format, "image/x-pico")
