"""The imageio v3 plugin."""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, BinaryIO

import numpy as np
from imageio.core.request import URI_BYTES, URI_FILE, URI_FILENAME, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3

from pico_plugins.decoder import decode_region
from pico_plugins.encoder import encode_file
from pico_plugins.errors import PicoError
from pico_plugins.files import as_seekable
from pico_plugins.format.container import MAGIC
from pico_plugins.format.header import Header
from pico_plugins.format.metadata import Metadata
from pico_plugins.format.reader import read_header
from pico_plugins.streams import read_up_to

from .transforms import check_mode, converted, turned

Index = int | EllipsisType | None


def _check_index(index: Index) -> None:
    if index not in (None, ..., 0, -1):
        msg = f"a .pico file holds one image: index {index} is out of range"
        raise ValueError(msg)


class PicoPlugin(PluginV3):
    """One image a file: ``index`` is 0, or ``...`` for a batch of one."""

    def __init__(self, request: Request) -> None:
        """Raises ``InitializationError`` for what is no .pico file or target: imageio then asks the next plugin."""
        super().__init__(request)
        self._header: Header | None = None
        self._written = False
        if request.mode.io_mode is IOMode.write:
            # Bytes and streams have no name: who gets here with them has asked for PICO, the last in line. (What kind
            # of target it is stands in a private attribute only; imageio's own plugins read it too.)
            nameless = request.extension is None and request._uri_type in (URI_BYTES, URI_FILE)
            if request.extension != ".pico" and not nameless:
                msg = "PICO writes .pico files"
                raise InitializationError(msg)
            return
        self._file = as_seekable(request.get_file())
        self._start = self._file.tell()
        if read_up_to(self._file, len(MAGIC)) != MAGIC:
            msg = f"{request.raw_uri!r:.100} is not a PICO file"
            raise InitializationError(msg)

    def _rewound(self) -> BinaryIO:
        self._file.seek(self._start)
        return self._file

    def _read_header(self) -> Header:
        if self._header is None:
            try:
                self._header = read_header(self._rewound())
            except PicoError as error:
                raise OSError(str(error)) from error
        return self._header

    def read(
        self,
        *,
        index: Index = None,
        region: tuple[int, int, int, int] | None = None,
        scale: float = 1,
        mode: str | None = None,
        rotate: bool = False,
        realism: float | None = None,
        threads: int | None = None,
        backend: str | None = None,
        max_pixels: int | None = None,
    ) -> np.ndarray:
        """The pixels: uint8 (H, W), (H, W, 3) or (H, W, 4); with ``index=...`` a leading axis of one.

        ``region`` = (left, top, right, bottom) decodes only the tiles it meets; ``scale`` 1/2, 1/4 or 1/8 gives a
        smaller image for less work; ``mode`` converts to one of Pillow's modes; ``rotate`` turns what is read as its
        Exif says; the rest as in ``pico_plugins.decode_region``.
        Raises ``ValueError`` for another index, scale, mode or a region outside the image, ``OSError`` for damaged
        data.
        """
        _check_index(index)
        header = self._read_header()
        if mode is not None:
            check_mode(header.mode, mode)
        try:
            options = dict(scale=scale, realism=realism, threads=threads, backend=backend, max_pixels=max_pixels)
            pixels = decode_region(self._rewound(), region, **options)
        except PicoError as error:
            raise OSError(str(error)) from error
        if rotate:
            pixels = turned(pixels, header.metadata)
        if mode is not None:
            pixels = converted(pixels, mode)
        return pixels[None] if index is ... else pixels

    def iter(self, **options: Any) -> Iterator[np.ndarray]:
        """The one image; options as for :meth:`read`."""
        yield self.read(**options)

    def write(
        self,
        ndimage: np.ndarray | list[np.ndarray],
        *,
        is_batch: bool | None = None,
        mode: str | None = None,
        quality: float = 75,
        exif: bytes | None = None,
        icc_profile: bytes | None = None,
        xmp: bytes | None = None,
        text: dict[str, str] | None = None,
        dpi: tuple[float, float] | None = None,
        realism: float | None = None,
        fidelity: str = "normal",
        tune: str = "pixels",
        threads: int | None = None,
        backend: str | None = None,
    ) -> bytes | None:
        """Write one image, uint8 (H, W), (H, W, 3) or (H, W, 4); a list or batch may hold only one.

        ``mode``, if given, must be what these are called: L, RGB or RGBA. Returns the bytes if the target is
        ``"<bytes>"``. Raises ``ValueError`` for anything else that is asked for, also for a second image; a file that
        is there already then stays as it is.
        """
        if self._written:
            msg = "a .pico file holds one image, and it has been written: open another file for the next one"
            raise ValueError(msg)
        if isinstance(ndimage, (list, tuple)) or is_batch:
            if len(ndimage) != 1:
                msg = f"a .pico file holds one image, not {len(ndimage)}"
                raise ValueError(msg)
            ndimage = ndimage[0]
        pixels = np.asarray(ndimage)
        own = {2: "L", 3: "RGB" if pixels.shape[-1:] == (3,) else "RGBA"}.get(pixels.ndim)
        if mode not in (None, own):
            msg = f"mode {mode!r} of an array {pixels.shape}: PICO writes L (H, W), RGB (H, W, 3) and RGBA (H, W, 4)"
            raise ValueError(msg)
        named = self.request._uri_type == URI_FILENAME
        encode_file(
            self.request.get_local_filename() if named else self.request.get_file(),
            pixels,
            quality,
            metadata=Metadata(exif=exif, icc_profile=icc_profile, xmp=xmp, text=text or {}, dpi=dpi),
            realism=realism,
            fidelity=fidelity,
            tune=tune,
            threads=threads,
            backend=backend,
        )
        self._written = True
        if self.request._uri_type == URI_BYTES:
            return self.request.get_file().getvalue()
        return None

    def properties(self, index: Index = None) -> ImageProperties:
        """Shape and dtype, from the header alone."""
        _check_index(index)
        shape = self._read_header().shape
        if index is ...:
            return ImageProperties(shape=(1, *shape), dtype=np.dtype(np.uint8), n_images=1, is_batch=True)
        return ImageProperties(shape=shape, dtype=np.dtype(np.uint8), is_batch=False)

    def metadata(self, index: Index = None, exclude_applied: bool = True) -> dict[str, Any]:
        """``mode``, ``shape``, ``exif``, ``icc_profile``, ``xmp`` where there are any, text fields, and ``pico``.

        Nothing is applied while reading (orientation included), so ``exclude_applied`` changes nothing.
        """
        _check_index(index)
        header = self._read_header()
        return {"mode": header.mode, "shape": (header.width, header.height), **header.info()}
