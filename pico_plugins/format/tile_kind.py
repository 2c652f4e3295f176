"""The first byte of a tile's colour: how the rest is coded."""

from __future__ import annotations

from ..errors import DamagedError
from ..quality import MAX_LEVEL

LOSSLESS = 255
"""The rest is a lossless image of the tile's kept part. Other tiles begin with their level, 0 ... 224."""


def split_tile(data: bytes) -> tuple[int, bytes]:
    """Level in 1/32 or :data:`LOSSLESS`, and the rest of a tile's bytes. Raises :class:`DamagedError`."""
    if not data or MAX_LEVEL < data[0] != LOSSLESS:
        msg = "damaged tile: neither of a level nor lossless"
        raise DamagedError(msg)
    return data[0], data[1:]
