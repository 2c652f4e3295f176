"""The tile index: where each tile's bytes are, and their checksum."""

from __future__ import annotations

import zlib
from typing import BinaryIO

import numpy as np

from ..errors import DamagedError
from .container import check_crc, read_exactly
from .header import Header


class TileIndex:
    """The INDX chunk. A file may have very many tiles: all of it stays in arrays, a dozen bytes for each tile."""

    def __init__(self, file: BinaryIO, header: Header, crc: int) -> None:
        """Read right after :func:`pico_plugins.format.header.read_head`, whose results ``header`` and ``crc`` are.

        Raises ``DamagedError`` or ``TruncatedError``.
        """
        columns = 3 if header.alpha else 2
        payload = read_exactly(file, 4 * columns * len(header.grid), "chunk INDX")
        check_crc(file, b"INDX", zlib.crc32(payload, crc))
        self._fields = np.frombuffer(payload, "<u4").reshape(-1, columns)
        empty = np.flatnonzero(self._fields[:, 0] == 0)
        if len(empty):
            msg = f"damaged PICO file: tile {empty[0]} has no data"
            raise DamagedError(msg)
        self._ends = np.cumsum(self._fields[:, :-1].sum(1, dtype=np.int64))
        self.payload_size = int(self._ends[-1])
        """Bytes of all tiles together."""

    def __len__(self) -> int:
        return len(self._fields)

    def entry(self, number: int) -> tuple[int, int, int, int]:
        """Of one tile: offset from the start of the pixel data, length of colour and of alpha, CRC-32 of both."""
        fields = self._fields[number].tolist()
        colour, alpha = fields[0], sum(fields[1:-1])
        return int(self._ends[number]) - colour - alpha, colour, alpha, fields[-1]
