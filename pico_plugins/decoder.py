"""File -> pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO, TypedDict, Unpack

import numpy as np

from .alpha import decode_alpha
from .errors import DamagedError, PicoError
from .files import Source, reading
from .header import Header
from .model import Model
from .pipeline import Progress, ordered, thread_count
from .quality import check_realism
from .reader import TileReader
from .tiles import Tile, TileGrid

BLANK = 128


class TileDecoding:
    """Decodes tiles of one file into pixels of its shape."""

    def __init__(self, header: Header, realism: float | None, backend: str | None) -> None:
        self.header = header
        self.realism = header.realism if realism is None else check_realism(realism)
        self.model = Model(header.model.hex(), backend)

    def __call__(self, tile: Tile, colour: bytes, alpha: bytes) -> np.ndarray:
        """The kept part of a tile: uint8 (h, w), (h, w, 3) or (h, w, 4)."""
        try:
            window = self.model.decode_tile(colour, tile.coded_shape, self.header.level, self.realism)
            kept = tile.kept(window)
            if self.header.channels == 1:
                kept = (kept.astype(np.uint16).sum(axis=2) + 1) // 3
                kept = kept.astype(np.uint8)
                if not self.header.alpha:
                    return kept
                kept = np.repeat(kept[:, :, None], 3, axis=2)
            if self.header.alpha:
                kept = np.dstack([kept, decode_alpha(alpha, kept.shape[:2])])
        except DamagedError as error:
            msg = f"{error} (tile {tile.number})"
            raise DamagedError(msg) from error
        return kept


@contextmanager
def _decoded_tiles(
    file: BinaryIO,
    choose: Callable[[Header], Sequence[Tile] | TileGrid],
    *,
    realism: float | None,
    threads: int | None,
    backend: str | None,
    max_pixels: int | None,
    damaged: list[int] | None,
) -> Iterator[tuple[Header, int, Iterator[tuple[Tile, np.ndarray]]]]:
    """Header, number of the tiles that ``choose`` gives for it, and an iterator over (tile, pixels) in order."""
    workers = thread_count(threads)
    reader = TileReader(file, max_pixels)
    chosen = choose(reader.header)
    decode_one = TileDecoding(reader.header, realism, backend)

    def fetch() -> Iterator[tuple[Tile, bytes | None, bytes]]:
        for tile in chosen:
            try:
                yield tile, *reader.tile_bytes(tile.number)
            except PicoError:
                if damaged is None:
                    raise
                yield tile, None, b""

    def work(item: tuple[Tile, bytes | None, bytes]) -> tuple[Tile, np.ndarray]:
        tile, colour, alpha = item
        try:
            if colour is not None:
                return tile, decode_one(tile, colour, alpha)
        except DamagedError:
            if damaged is None:
                raise
        damaged.append(tile.number)
        shape = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0], *reader.header.shape[2:])
        return tile, np.full(shape, BLANK, np.uint8)

    with closing(ordered(work, fetch(), workers)) as tiles:
        yield reader.header, len(chosen), tiles
    if damaged is None:
        reader.finish()


def decode_region(
    source: Source,
    box: tuple[int, int, int, int] | None,
    *,
    realism: float | None = None,
    threads: int | None = None,
    backend: str | None = None,
    max_pixels: int | None = None,
    progress: Progress | None = None,
    damaged: list[int] | None = None,
) -> np.ndarray:
    """The pixels inside ``box`` = (left, top, right, bottom), decoding only the tiles it touches; None: everything.

    Returns uint8 (h, w), (h, w, 3) or (h, w, 4). ``realism``: 0 = faithful ... 1 = perceptual; default from the file.
    ``max_pixels`` limits the size of the whole image. ``damaged``: give a list to get an image even from a broken
    file; tiles that cannot be decoded are then gray and their numbers appended to the list.

    Raises a ``PicoError`` for a broken or unsupported file, ``ValueError`` for a box outside the image.
    """
    with reading(source) as file:

        def choose(header: Header) -> list[Tile]:
            nonlocal box
            box = box or (0, 0, header.width, header.height)
            left, top, right, bottom = box
            if not (0 <= left < right <= header.width and 0 <= top < bottom <= header.height):
                msg = f"box {box} is not inside the image of {header.width} x {header.height} pixels"
                raise ValueError(msg)
            return header.grid.covering(*box)

        options = dict(realism=realism, threads=threads, backend=backend, max_pixels=max_pixels, damaged=damaged)
        with _decoded_tiles(file, choose, **options) as (header, total, tiles):
            left, top, right, bottom = box
            out = np.empty((bottom - top, right - left, *header.shape[2:]), np.uint8)
            for done, (tile, pixels) in enumerate(tiles, 1):
                y0, y1 = max(tile.rows[0], top), min(tile.rows[1], bottom)
                x0, x1 = max(tile.columns[0], left), min(tile.columns[1], right)
                part = pixels[y0 - tile.rows[0] : y1 - tile.rows[0], x0 - tile.columns[0] : x1 - tile.columns[0]]
                out[y0 - top : y1 - top, x0 - left : x1 - left] = part
                if progress:
                    progress(done, total)
    if damaged:
        damaged.sort()
    return out


class DecodeOptions(TypedDict, total=False):
    """The keyword options of :func:`decode_region`."""

    realism: float | None
    threads: int | None
    backend: str | None
    max_pixels: int | None
    progress: Progress | None
    damaged: list[int] | None


def decode(source: Source, **options: Unpack[DecodeOptions]) -> np.ndarray:
    """All pixels of a .pico file: uint8 (H, W), (H, W, 3) or (H, W, 4). Options as in :func:`decode_region`."""
    return decode_region(source, None, **options)


def decode_bands(
    source: Source,
    *,
    realism: float | None = None,
    threads: int | None = None,
    backend: str | None = None,
    max_pixels: int | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """The image from top to bottom as (first row, pixels), one row of tiles at a time: memory for one such band.

    Errors as in :func:`decode_region`, raised while iterating. Until the iterator is used up or closed, NumPy's matrix
    products in this process run on one thread.
    """
    with reading(source) as file:
        options = dict(realism=realism, threads=threads, backend=backend, max_pixels=max_pixels, damaged=None)
        with _decoded_tiles(file, lambda header: header.grid, **options) as (header, _, tiles):
            for band in header.grid.bands():
                parts = [next(tiles)[1] for _ in band]
                yield band[0].rows[0], np.concatenate(parts, axis=1)
