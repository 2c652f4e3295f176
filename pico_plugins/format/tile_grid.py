"""Tile geometry: how an image is cut into windows that are coded alone, and put together again.

Along each axis, tile k is coded from the window [k*T, k*T + T + 2*m), cut off at the image's end: neighbouring windows
overlap by 2*m pixels, and each tile keeps its window less the margin m on sides that have a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # headers are read without NumPy
    import numpy as np

GRANULE = 64
"""The networks' coarsest stride: windows are extended to multiples of it, repeating the last row and column."""

TILE = 504
MARGIN = 4
SMALL_TILE = 1016
"""Images that fit into one window of twice the size are coded as one tile: no seam, and less is spent on edges."""

BLANK = 128
"""What is shown of a tile that cannot be decoded."""

Span = tuple[int, int]

Box = tuple[int, int, int, int]
"""(left, top, right, bottom), in pixels of the full image."""


def _rounded_up(length: int) -> int:
    return -(-length // GRANULE) * GRANULE


@dataclass(frozen=True)
class Tile:
    """One tile: its number, the window it is coded from and the part of it that is kept, as (start, stop) spans."""

    number: int
    window_rows: Span
    window_columns: Span
    rows: Span
    columns: Span

    @property
    def coded_shape(self) -> tuple[int, int]:
        """Height and width of the window, rounded up to the granule."""
        height = self.window_rows[1] - self.window_rows[0]
        width = self.window_columns[1] - self.window_columns[0]
        return _rounded_up(height), _rounded_up(width)

    @property
    def kept_shape(self) -> tuple[int, int]:
        """Height and width of the kept part."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def reduced(self, by: int) -> Tile:
        """The tile in the image ``by`` times smaller. Its window must begin at a multiple of ``by``."""

        def divide(span: Span) -> Span:
            return -(-span[0] // by), -(-span[1] // by)

        spans = (self.window_rows, self.window_columns, self.rows, self.columns)
        return Tile(self.number, *map(divide, spans))

    @property
    def alone(self) -> Tile:
        """The same tile of an image that is nothing but its window."""
        top, left = self.window_rows[0], self.window_columns[0]

        def shift(span: Span, by: int) -> Span:
            return span[0] - by, span[1] - by

        windows = shift(self.window_rows, top), shift(self.window_columns, left)
        return Tile(self.number, *windows, shift(self.rows, top), shift(self.columns, left))

    def gather(self, pixels: np.ndarray) -> np.ndarray:
        """The window of ``pixels`` (H, W, 3), its edges repeated up to :attr:`coded_shape`; contiguous."""
        import numpy as np

        (top, bottom), (left, right) = self.window_rows, self.window_columns
        window = np.asarray(pixels[top:bottom, left:right])
        height, width = self.coded_shape
        extra = ((0, height - window.shape[0]), (0, width - window.shape[1]), (0, 0))
        return np.pad(window, extra, mode="edge") if any(map(any, extra)) else np.ascontiguousarray(window)

    def kept(self, window: np.ndarray) -> np.ndarray:
        """The part of a decoded ``window`` that belongs to the image."""
        top, left = self.window_rows[0], self.window_columns[0]
        return window[self.rows[0] - top : self.rows[1] - top, self.columns[0] - left : self.columns[1] - left]


@dataclass(frozen=True)
class _Axis:
    """The windows along one axis. Computed one by one: a header may declare any number of them."""

    length: int
    tile: int
    margin: int

    def __len__(self) -> int:
        return max(1, -(-(self.length - 2 * self.margin) // self.tile))

    def spans(self, k: int) -> tuple[Span, Span]:
        """Window and kept part of tile ``k``."""
        start = k * self.tile
        stop = min(start + self.tile + 2 * self.margin, self.length)
        last = k + 1 == len(self)
        return (start, stop), (start + self.margin if k else 0, self.length if last else stop - self.margin)

    @property
    def coded(self) -> int:
        """The windows' lengths, each rounded up to the granule, together. Only the last is cut off by the end."""
        full, last = self.tile + 2 * self.margin, self.length - (len(self) - 1) * self.tile
        return (len(self) - 1) * _rounded_up(full) + _rounded_up(last)

    def meeting(self, start: int, stop: int) -> range:
        """The tiles whose kept part meets [start, stop)."""
        first = max(0, (start - self.margin) // self.tile)
        last = max(0, (stop - 1 - self.margin) // self.tile)
        return range(min(first, len(self) - 1), min(last, len(self) - 1) + 1)


class TileGrid:
    """All tiles of an image, row by row."""

    def __init__(self, width: int, height: int, tile: int, margin: int) -> None:
        self._down, self._across = _Axis(height, tile, margin), _Axis(width, tile, margin)

    def __len__(self) -> int:
        return len(self._down) * len(self._across)

    @property
    def coded_pixels(self) -> int:
        """Pixels of all windows together, in the shapes in which they are coded."""
        return self._down.coded * self._across.coded

    def __getitem__(self, number: int) -> Tile:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._at(*divmod(number, len(self._across)))

    def _at(self, row: int, column: int) -> Tile:
        (window_rows, rows), (window_columns, columns) = self._down.spans(row), self._across.spans(column)
        return Tile(row * len(self._across) + column, window_rows, window_columns, rows, columns)

    def __iter__(self) -> Iterator[Tile]:
        return (self[number] for number in range(len(self)))

    def bands(self) -> Iterator[list[Tile]]:
        """The tiles of one row of tiles after the other."""
        for row in range(len(self._down)):
            yield [self._at(row, column) for column in range(len(self._across))]

    def covering(self, left: int, top: int, right: int, bottom: int) -> list[Tile]:
        """The tiles whose kept part meets the box."""
        columns = self._across.meeting(left, right)
        return [self._at(row, column) for row in self._down.meeting(top, bottom) for column in columns]


def place(out: np.ndarray, box: Box, tile: Tile, pixels: np.ndarray) -> None:
    """Copy the part of a tile's ``pixels`` that is inside ``box`` to where it belongs in ``out``, the box's pixels."""
    left, top, right, bottom = box
    y0, y1 = max(tile.rows[0], top), min(tile.rows[1], bottom)
    x0, x1 = max(tile.columns[0], left), min(tile.columns[1], right)
    if y0 >= y1 or x0 >= x1:
        return
    part = pixels[y0 - tile.rows[0] : y1 - tile.rows[0], x0 - tile.columns[0] : x1 - tile.columns[0]]
    out[y0 - top : y1 - top, x0 - left : x1 - left] = part
