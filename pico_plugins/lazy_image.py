"""A .pico file as arrays that decode only the tiles that are looked at, at full and at reduced scales."""

from __future__ import annotations

import math
import operator
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from types import EllipsisType

import numpy as np

from .files import Source, reading
from .format.reader import TileReader
from .format.tile_grid import Box, Tile, place
from .integers import as_box, as_integer
from .pipeline import ordered, thread_count
from .tiles.codec import TileDecoder

CACHE_BYTES = 256 << 20

Index = int | slice | EllipsisType
Key = Index | tuple[Index, ...]


class LazyImage:
    """An open file whose decoded tiles are remembered, up to ``cache_bytes`` of them, the last used ones longest.

    ``levels`` are array-likes of the whole image and of it 2, 4 and 8 times smaller. May be read from several threads.
    Pickles as its path or bytes, which are opened again; a forked process shares the open file's position with its
    parent, so give it a pickle or open the path there.
    """

    def __init__(
        self,
        source: Source,
        *,
        realism: float | None = None,
        threads: int | None = None,
        backend: str | None = None,
        max_pixels: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Reads header and index only. Errors as :func:`pico_plugins.decode`; a path stays open until ``close``."""
        self._source = source
        self._options = dict(threads=threads, backend=backend, max_pixels=max_pixels, cache_bytes=cache_bytes)
        self._workers, self._backend, self._cache_bytes = (
            thread_count(threads),
            backend,
            as_integer(cache_bytes, "cache_bytes"),
        )
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[float, int, int], np.ndarray] = OrderedDict()
        self._cached = 0
        with ExitStack() as stack:
            self._reader = TileReader(stack.enter_context(reading(source)), max_pixels)
            self.header = self._reader.header
            self.realism = self.header.realism if realism is None else realism
            TileDecoder(self.header, self.realism, backend)  # refuses a wrong realism or model now, not when drawn
            self._open = stack.pop_all()
        self.levels = [LazyLevel(self, by) for by in self.header.reductions]

    def close(self) -> None:
        """Close the file. What is cached can still be read."""
        self._open.close()

    def __enter__(self) -> LazyImage:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        if hasattr(self._source, "read"):
            msg = "a LazyImage of an open file cannot be pickled: open it by its path"
            raise TypeError(msg)
        return partial(LazyImage, realism=self.realism, **self._options), (self._source,)

    def tiles(self, reduction: int, box: Box) -> list[Tile]:
        """The tiles that hold ``box``, in pixels of the image ``reduction`` times smaller."""
        left, top, right, bottom = box
        corner = (right - 1) * reduction + 1, (bottom - 1) * reduction + 1
        return self.header.grid.covering(left * reduction, top * reduction, *corner)

    def cached(self, reduction: int, tile: Tile, realism: float | None = None) -> np.ndarray | None:
        """The tile's pixels, at the present realism or another, if they are remembered."""
        key = (self.realism if realism is None else realism, reduction, tile.number)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
            return self._cache.get(key)

    def decode(self, reduction: int, tiles: Sequence[Tile]) -> Iterator[tuple[Tile, np.ndarray]]:
        """The pixels of ``tiles``, each in the image ``reduction`` times smaller; several at once, in order."""
        realism = self.realism
        decoder = TileDecoder(self.header, realism, self._backend, reduction)

        def fetch() -> Iterator[tuple[Tile, np.ndarray | None, tuple[bytes, bytes]]]:
            """In the calling thread: some files may be read by no other."""
            for tile in tiles:
                known, data = self.cached(reduction, tile, realism), (b"", b"")
                if known is None:
                    with self._lock:
                        data = self._reader.tile_bytes(tile.number)
                yield tile, known, data

        def pixels_of(item: tuple[Tile, np.ndarray | None, tuple[bytes, bytes]]) -> tuple[Tile, np.ndarray]:
            tile, known, data = item
            if known is not None:
                return tile, known
            pixels = np.ascontiguousarray(decoder.decode(tile, *data))  # not a view that keeps a whole window alive
            self._remember((realism, reduction, tile.number), pixels)
            return tile, pixels

        with closing(ordered(pixels_of, fetch(), max(1, min(self._workers, len(tiles))))) as results:
            yield from results

    def read(self, reduction: int, box: Box) -> np.ndarray:
        """The pixels of ``box``, in pixels of the image ``reduction`` times smaller: uint8 (h, w[, 3 or 4]).

        Raises ``ValueError`` for a box that is not inside it, or a reduction that is none of the header's.
        """
        if reduction not in self.header.reductions:
            msg = f"reduction must be one of {self.header.reductions}, not {reduction!r}"
            raise ValueError(msg)
        reduction = int(reduction)
        left, top, right, bottom = box = as_box(box)
        height, width = (-(-side // reduction) for side in self.header.shape[:2])
        if left < right and top < bottom and not (left >= 0 and right <= width and top >= 0 and bottom <= height):
            msg = f"box {box} is not inside the image of {width} x {height} pixels"
            raise ValueError(msg)
        out = np.empty((max(0, bottom - top), max(0, right - left), *self.header.shape[2:]), np.uint8)
        if out.size:
            for tile, pixels in self.decode(reduction, self.tiles(reduction, box)):
                place(out, box, tile.reduced(reduction), pixels)
        return out

    def _remember(self, key: tuple[float, int, int], pixels: np.ndarray) -> None:
        with self._lock:
            if key not in self._cache and pixels.nbytes <= self._cache_bytes:
                self._cache[key] = pixels
                self._cached += pixels.nbytes
                while self._cached > self._cache_bytes:
                    self._cached -= self._cache.popitem(last=False)[1].nbytes


class LazyLevel:
    """One scale of a :class:`LazyImage`: indexed like an array of shape (h, w), (h, w, 3) or (h, w, 4).

    Integers and slices along rows and columns decide what is decoded; what follows them is NumPy's.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, image: LazyImage, reduction: int) -> None:
        self.image, self.reduction = image, reduction
        height, width, *rest = image.header.shape
        self.shape = (-(-height // reduction), -(-width // reduction), *rest)
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<pico image {' x '.join(map(str, self.shape))}, 1/{self.reduction}>"

    def __getitem__(self, key: Key) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in key):
            at = next(i for i, part in enumerate(key) if part is Ellipsis)
            key = (*key[:at], *[slice(None)] * (self.ndim - len(key) + 1), *key[at + 1 :])
        if len(key) > self.ndim:
            msg = f"{len(key)} indices for an image of {self.ndim} dimensions"
            raise IndexError(msg)
        key = (*key, *[slice(None)] * (self.ndim - len(key)))
        (top, bottom, rows), (left, right, columns) = (
            _span(part, size) for part, size in zip(key[:2], self.shape[:2], strict=True)
        )
        pixels = self.image.read(self.reduction, (left, top, right, bottom))
        return pixels[(rows, columns, *key[2:])]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            msg = "the pixels have to be decoded: that makes a copy"
            raise ValueError(msg)
        return self[:].astype(dtype or self.dtype, copy=False)


def _span(part: int | slice, size: int) -> tuple[int, int, int | slice]:
    """First and last + 1 of what ``part`` touches along an axis, and the index that picks it from there."""
    if not isinstance(part, slice):
        at = operator.index(part)
        if not -size <= at < size:
            msg = f"index {at} is out of range for {size}"
            raise IndexError(msg)
        at %= size
        return at, at + 1, 0
    chosen = range(*part.indices(size))
    if not chosen:
        return 0, 0, slice(0, 0)
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return low, high + 1, slice(None, None, part.step)
