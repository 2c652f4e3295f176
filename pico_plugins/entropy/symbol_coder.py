"""Entropy coding of one tile: integer latents and hyperlatents to bytes and back.

Every symbol comes with an index into the frozen scale tables. Index 0 means "not coded, always 0". Symbols of equal
index are coded as one group with one fixed integer model, groups in ascending order of index, symbols of a group in
raster order (channel, row, column; latents: phase, channel, row, column). Values outside a table are coded as its
escape symbol; the values themselves stand in a list before the coded words.
"""

from __future__ import annotations

import itertools

import numpy as np

from ..errors import DamagedError
from .symbol_stack import SymbolModel, SymbolStack

_MAX_ESCAPE_BYTES = 5  # a zigzag int32 in groups of seven bits


class ScaleTables:
    """The frozen integer tables. Table k >= 1 covers -radius ... radius and then the escape symbol."""

    def __init__(self, radii: np.ndarray, frequencies: np.ndarray) -> None:
        """``radii`` (tables,); ``frequencies`` all tables one after the other, each summing to 2^24.

        Raises ``ValueError`` when they do not fit together.
        """
        self.radii = radii.astype(np.int32)
        ends = np.cumsum([0] + [2 * r + 2 for r in radii.tolist()[1:]])
        if self.radii.min() < 0 or ends[-1] != len(frequencies):
            msg = "scale tables: frequencies do not match radii"
            raise ValueError(msg)
        self.models: list[SymbolModel | None] = [None]
        for start, stop in itertools.pairwise(ends):
            table = frequencies[start:stop]
            if table.min() < 1 or table.sum(dtype=np.int64) != 1 << 24:
                msg = "scale tables: frequencies must be at least 1 and sum to 2^24"
                raise ValueError(msg)
            self.models.append(SymbolModel(table))

    def __len__(self) -> int:
        return len(self.radii)

    def radii_of(self, groups: list[tuple[int, int]]) -> np.ndarray:
        """The table's radius for every symbol of ``groups``, (index, count) each; int32."""
        indices, counts = np.array(groups, np.intp).reshape(-1, 2).T
        return np.repeat(self.radii[indices], counts)


def group_by_index(indices: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Flat positions of all ``indices`` (uint8) above 0, in coding order, and (index, count) of each group in it."""
    flat = indices.ravel()
    coded = np.flatnonzero(flat != 0)  # four times as fast for bool as for bytes
    kinds = flat.take(coded)
    # A stable sort of bytes is a radix sort: linear, and it keeps raster order inside a group.
    order = coded.take(np.argsort(kinds, kind="stable"))
    counts = np.bincount(kinds)
    return order, [(int(index), int(counts[index])) for index in np.flatnonzero(counts)]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(_MAX_ESCAPE_BYTES):
        if at + i >= len(data):
            break
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    msg = "damaged tile: unfinished number"
    raise DamagedError(msg)


class SymbolEncoder:
    """Collects the groups of a tile in the order in which they will be decoded."""

    def __init__(self, tables: ScaleTables) -> None:
        self.tables = tables
        self._groups: list[tuple[np.ndarray, SymbolModel]] = []
        self._escapes = bytearray()

    def add(self, symbols: np.ndarray, indices: np.ndarray) -> None:
        """Add int32 ``symbols`` with uint8 ``indices`` of the same shape; symbols at index 0 must be 0."""
        order, groups = group_by_index(indices)
        values, radii = symbols.ravel().take(order), self.tables.radii_of(groups)
        outside = np.flatnonzero((values > radii) | (values < -radii))
        for value in values[outside].tolist():
            self._escapes += _varint(value << 1 if value >= 0 else (-value << 1) - 1)
        values[outside] = radii[outside] + 1
        values += radii
        start = 0
        for index, count in groups:
            self._groups.append((values[start : start + count], self.tables.models[index]))
            start += count

    def finish(self) -> bytes:
        """The tile's bytes."""
        stack = SymbolStack()
        for symbols, model in reversed(self._groups):
            stack.push(symbols, model)
        words = stack.to_words().astype("<u4").tobytes()
        return _varint(len(self._escapes)) + bytes(self._escapes) + words


class SymbolDecoder:
    """Gives the groups of a tile back, in order. Raises :class:`DamagedError` when the bytes cannot be a tile's."""

    def __init__(self, tables: ScaleTables, data: bytes) -> None:
        self.tables = tables
        escape_bytes, start = _read_varint(data, 0)
        self._escapes, words = data[start : start + escape_bytes], data[start + escape_bytes :]
        self._at = 0
        if len(self._escapes) != escape_bytes or len(words) % 4 or words[-4:] == bytes(4):
            msg = "damaged tile: lengths do not match"
            raise DamagedError(msg)
        self._stack = SymbolStack(np.frombuffer(words, "<u4").astype(np.uint32))

    def take(self, indices: np.ndarray) -> np.ndarray:
        """The next symbols, int32, in the shape of ``indices`` (uint8)."""
        order, groups = group_by_index(indices)
        values, radii = np.empty(len(order), np.int32), self.tables.radii_of(groups)
        start = 0
        for index, count in groups:
            values[start : start + count] = self._stack.pop(count, self.tables.models[index])
            start += count
        values -= radii
        for i in np.flatnonzero(values > radii):
            number, self._at = _read_varint(self._escapes, self._at)
            value = number >> 1 if number & 1 == 0 else -(number + 1 >> 1)
            if not -(1 << 31) <= value < 1 << 31:
                msg = "damaged tile: number out of range"
                raise DamagedError(msg)
            values[i] = value
        symbols = np.zeros(indices.size, np.int32)
        symbols[order] = values
        return symbols.reshape(indices.shape)

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self._at != len(self._escapes) or not self._stack.is_empty():
            msg = "damaged tile: data is left over"
            raise DamagedError(msg)
