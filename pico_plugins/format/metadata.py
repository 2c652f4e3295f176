"""What travels beside the pixels."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .container import CHUNK_OVERHEAD, MAX_CHUNKS, MAX_METADATA

EXIF_PREFIX = b"Exif\0\0"
METADATA_CHUNKS = {b"exif": "exif", b"iccp": "icc_profile", b"xmpp": "xmp", b"cicp": "cicp"}
"""Chunk type -> field of :class:`Metadata`; text has chunks of its own."""

DPI = "dpi"
"""Keyword of the text that holds the resolution."""


@dataclass(frozen=True)
class Metadata:
    """What travels beside the pixels, untouched.

    ``exif`` starts with the TIFF header (an ``Exif`` prefix is taken off); ``cicp``: 4 bytes as in ITU-T H.273;
    ``text``: keyword -> text; ``dpi``: pixels per inch, across and down, stored as a text of that keyword. Raises
    ``TypeError`` for values of another type, ``ValueError`` for what does not fit.
    """

    exif: bytes | None = None
    icc_profile: bytes | None = None
    xmp: bytes | None = None
    cicp: bytes | None = None
    text: dict[str, str] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in METADATA_CHUNKS.values():
            value = getattr(self, name)
            if not isinstance(value, bytes | None):
                msg = f"{name} must be bytes, not {type(value).__name__}"
                raise TypeError(msg)
        if self.exif:
            object.__setattr__(self, "exif", self.exif.removeprefix(EXIF_PREFIX))
        if self.cicp is not None and len(self.cicp) != 4:
            msg = f"cicp must be 4 bytes, not {len(self.cicp)}"
            raise ValueError(msg)
        if self.dpi is not None:
            object.__setattr__(self, "dpi", _checked_dpi(self.dpi))
        if not isinstance(self.text, Mapping):
            msg = f"text must map keywords to strings, not be {type(self.text).__name__}"
            raise TypeError(msg)
        for keyword, value in self.text.items():
            if not isinstance(keyword, str) or not isinstance(value, str):
                msg = "text must map keywords to strings"
                raise TypeError(msg)
            if "\0" in keyword:
                msg = f"text keyword {keyword!r} contains a NUL character"
                raise ValueError(msg)
        sizes = [CHUNK_OVERHEAD + len(payload) for _, payload in self.chunks()]
        if len(sizes) > MAX_CHUNKS:
            msg = f"{len(self.text)} texts: a .pico file may hold {MAX_CHUNKS} chunks of metadata"
            raise ValueError(msg)
        if sum(sizes) > MAX_METADATA:
            msg = f"metadata of {sum(sizes)} bytes: a .pico file may hold {MAX_METADATA}"
            raise ValueError(msg)

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """The chunks (type, payload) that hold it. Raises ``ValueError`` for text that is not valid Unicode."""
        for kind, name in METADATA_CHUNKS.items():
            if (value := getattr(self, name)) is not None:
                yield kind, value
        texts = dict(self.text)
        if self.dpi is not None:
            texts[DPI] = "{:.12g} {:.12g}".format(*self.dpi)
        for keyword, value in texts.items():
            yield b"text", keyword.encode() + b"\0" + value.encode()


def _checked_dpi(dpi: object) -> tuple[float, float]:
    pair = tuple(dpi) if isinstance(dpi, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(value, numbers.Real) and 0 < value < math.inf for value in pair):
        msg = f"dpi must be two numbers above 0 (across, down), not {dpi!r:.80}"
        raise ValueError(msg)
    return float(pair[0]), float(pair[1])


def split_texts(texts: dict[str, str]) -> tuple[dict[str, str], tuple[float, float] | None]:
    """The fields ``text`` and ``dpi`` from the texts of a file. A ``dpi`` that is no two numbers is a text."""
    try:
        dpi = _checked_dpi(tuple(map(float, texts[DPI].split(" "))))
    except (KeyError, ValueError):
        return texts, None
    return {keyword: value for keyword, value in texts.items() if keyword != DPI}, dpi
