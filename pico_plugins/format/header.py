"""What a file says about itself before its pixels: header fields, metadata, tile index."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from ..errors import DamagedError, LimitError, NotPicoError, UnsupportedError
from ..integers import as_integer
from ..quality import LEVEL_STEPS, MAX_LEVEL, quality_of_level
from .container import (
    check_crc,
    read_chunks,
    read_exactly,
    read_frame,
    read_magic,
)
from .metadata import EXIF_PREFIX, METADATA_CHUNKS, Metadata, split_texts
from .tile_grid import TileGrid

VERSION = 0

MAX_PIXELS = 1 << 29
"""Readers refuse larger images unless told otherwise (``max_pixels``)."""

MAX_WORK, MIN_WORK = 8, 1 << 26
"""All tiles' windows together may be so many times larger than the largest image, or of so many pixels in any case."""

MIN_TILE, MAX_TILE = 32, 1024
"""Bounds of the work that one tile may cause; the margin is at most a quarter of the tile."""

_HEAD = struct.Struct("<BBBBBBHBII8s")
_ALPHA, _STRICT, _EYE = 1, 2, 4
_KNOWN = frozenset([*METADATA_CHUNKS, b"text", b"HEAD"])


@dataclass(frozen=True)
class Header:
    """A file's header. ``level`` is 0 ... 224 in 1/32, ``realism`` 0 ... 1, ``tile`` and ``margin`` are in pixels.

    ``tune`` says what the writer's encoder was tuned for, "pixels" or "eye"; decoding is the same.
    """

    width: int
    height: int
    channels: int
    alpha: bool
    level: int
    realism: float
    tile: int
    margin: int
    model: bytes
    bit_depth: int = 8
    strict: bool = False
    tune: str = "pixels"
    version: int = VERSION
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded array: (H, W), (H, W, 3) or (H, W, 4)."""
        if self.channels == 1 and not self.alpha:
            return self.height, self.width
        return self.height, self.width, 4 if self.alpha else 3

    @property
    def mode(self) -> str:
        """The name that Pillow and imageio have for such pixels: L, RGB or RGBA."""
        return "RGBA" if self.alpha else "L" if self.channels == 1 else "RGB"

    @property
    def fidelity(self) -> str:
        """ "strict" if no part of the picture is further from the original than a bound, else "normal"."""
        return "strict" if self.strict else "normal"

    @property
    def may_synthesise(self) -> bool:
        """Whether the file asks to be shown with detail that it does not hold, if the model has learned to add any."""
        return self.realism > 0 and not self.strict

    def info(self) -> dict[str, object]:
        """Metadata as Pillow and imageio name it, and what is the codec's own under ``pico``."""
        found: dict[str, object] = {}
        for name in ("icc_profile", "xmp", "cicp", "dpi", "text"):
            if value := getattr(self.metadata, name):
                found[name] = value
        if self.metadata.exif:
            found["exif"] = EXIF_PREFIX + self.metadata.exif  # as Pillow's JPEG and PNG give it, and its JPEG needs it
        found["pico"] = {
            "version": self.version,
            "model": self.model.hex(),
            "quality": round(quality_of_level(self.level)),
            "level": self.level / LEVEL_STEPS,
            "realism": self.realism,
            "fidelity": self.fidelity,
            "tune": self.tune,
            "may_synthesise": self.may_synthesise,
            "tile": self.tile,
        }
        return found

    @property
    def reductions(self) -> tuple[int, ...]:
        """How many times smaller the networks can show the image, each tile by itself: 1, and of 2, 4, 8 what fits."""
        whole = len(self.grid) == 1
        return tuple(by for by in (1, 2, 4, 8) if whole or self.tile % by == 0)

    @property
    def grid(self) -> TileGrid:
        """The image's tiles."""
        return TileGrid(self.width, self.height, self.tile, self.margin)

    def pack(self) -> bytes:
        """The payload of the HEAD chunk."""
        return _HEAD.pack(
            self.version,
            self.channels,
            _ALPHA * self.alpha | _STRICT * self.strict | _EYE * (self.tune == "eye"),
            self.bit_depth,
            self.level,
            round(self.realism * 255),
            self.tile,
            self.margin,
            self.width,
            self.height,
            self.model,
        )

    @classmethod
    def unpack(cls, payload: bytes) -> Header:
        """Parse and check the payload of the HEAD chunk."""
        if payload[:1] != bytes([VERSION]):
            msg = f"PICO format version {payload[0] if payload else '?'}: this reader knows version {VERSION}"
            raise UnsupportedError(msg)
        if len(payload) != _HEAD.size:
            msg = f"PICO header has {len(payload)} bytes instead of {_HEAD.size}"
            raise NotPicoError(msg)
        version, channels, flags, depth, level, realism, tile, margin, width, height, model = _HEAD.unpack(payload)
        if depth != 8 or flags & ~(_ALPHA | _STRICT | _EYE):
            msg = f"PICO file needs a newer reader: bit depth {depth}, flags {flags:#x}"
            raise UnsupportedError(msg)
        for name, value, good in (
            ("channels", channels, channels in (1, 3)),
            ("level", level, level <= MAX_LEVEL),
            ("tile", tile, MIN_TILE <= tile <= MAX_TILE),
            ("margin", margin, 4 * margin <= tile),
            ("width", width, 0 < width < 1 << 31),
            ("height", height, 0 < height < 1 << 31),
        ):
            if not good:
                msg = f"PICO header: {name} {value} is out of range"
                raise NotPicoError(msg)
        return cls(
            width,
            height,
            channels,
            bool(flags & _ALPHA),
            level,
            realism / 255,
            tile,
            margin,
            model,
            depth,
            bool(flags & _STRICT),
            "eye" if flags & _EYE else "pixels",
            version,
        )


def check_pixels(header: Header, max_pixels: int | None) -> None:
    """Raise :class:`LimitError` if the image is larger than ``max_pixels`` (None: the default of 512 megapixels), or if
    its tiles are so small, or so much wider than the image, that they are many times the work of such an image."""
    if max_pixels is None:
        limit = MAX_PIXELS
    else:
        limit = max_pixels if isinstance(max_pixels, float) else as_integer(max_pixels, "max_pixels")
    size, work = f"{header.width} x {header.height}", header.grid.coded_pixels
    if not header.width * header.height <= limit:
        msg = f"image of {size} pixels exceeds the limit of {limit}; max_pixels= of pico_plugins.decode raises it"
        raise LimitError(msg)
    if not work <= max(MAX_WORK * limit, MIN_WORK):
        msg = f"image of {size} pixels in tiles that hold {work}: too much work; max_pixels= of pico_plugins.decode "
        msg += "raises the limit"
        raise LimitError(msg)


def read_head(file: BinaryIO) -> tuple[Header, int]:
    """Header with metadata, and the CRC-32 so far of the INDX chunk, whose frame has been read."""
    read_magic(file)
    kind, length, crc = read_frame(file)
    if kind != b"HEAD" or length > 1024:
        msg = "not a PICO file: the first chunk is no header"
        raise NotPicoError(msg)
    payload = read_exactly(file, length, "chunk HEAD")
    check_crc(file, kind, zlib.crc32(payload, crc))
    header = Header.unpack(payload)

    found: dict[str, bytes] = {}
    text: dict[str, str] = {}
    for kind, chunk in read_chunks(file, _KNOWN, stop=b"INDX"):
        name = kind.decode()
        if kind == b"INDX":
            index_length, crc = struct.unpack("<II", chunk)
        elif kind == b"text":
            keyword, _, value = chunk.partition(b"\0")
            text[keyword.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        elif kind == b"HEAD" or METADATA_CHUNKS[kind] in found:
            msg = f"damaged PICO file: chunk {name} stands there twice"
            raise DamagedError(msg)
        else:
            found[METADATA_CHUNKS[kind]] = chunk
    try:
        text, dpi = split_texts(text)
        header = replace(header, metadata=Metadata(**found, text=text, dpi=dpi))
    except ValueError as error:
        msg = f"damaged PICO file: {error}"
        raise DamagedError(msg) from error
    entry = 12 if header.alpha else 8
    if index_length != entry * len(header.grid):
        msg = f"damaged PICO file: tile index of {index_length} bytes for {len(header.grid)} tiles"
        raise DamagedError(msg)
    return header, crc
