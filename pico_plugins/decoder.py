"""File -> pixels."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypedDict, Unpack

import numpy as np

from .errors import DamagedError, PicoError
from .files import Source, reading
from .format.header import Header
from .format.reader import TileReader
from .format.tile_grid import BLANK, Box, Tile, TileGrid, place
from .integers import as_box
from .pipeline import Progress, ordered, thread_count
from .quality import check_realism
from .tiles.averaging import box_average
from .tiles.codec import TileDecoder


@contextmanager
def decoded_tiles(
    reader: TileReader,
    chosen: Sequence[Tile] | TileGrid,
    *,
    realism: float | None,
    threads: int | None,
    backend: str | None,
    damaged: list[int] | None,
    reduction: int = 1,
) -> Iterator[Iterator[tuple[Tile, np.ndarray]]]:
    """An iterator over the ``chosen`` tiles and the pixels that the image keeps of each, in order.

    Options and errors as in :func:`decode_region`. ``reduction`` is one of the header's ``reductions``.
    """
    decoder = TileDecoder(reader.header, realism, backend, reduction)
    workers = thread_count(threads)

    def fetch() -> Iterator[tuple[Tile, bytes | None, bytes]]:
        for tile in chosen:
            try:
                yield tile, *reader.tile_bytes(tile.number)
            except PicoError:
                if damaged is None:
                    raise
                yield tile, None, b""

    def work(item: tuple[Tile, bytes | None, bytes]) -> tuple[Tile, np.ndarray | None]:
        tile, colour, alpha = item
        try:
            return tile, None if colour is None else decoder.decode(tile, colour, alpha)
        except DamagedError:
            if damaged is None:
                raise
            return tile, None

    def shown(decoded: Iterator[tuple[Tile, np.ndarray | None]]) -> Iterator[tuple[Tile, np.ndarray]]:
        for tile, pixels in decoded:
            if pixels is None:
                damaged.append(tile.number)
                pixels = np.full((*tile.reduced(reduction).kept_shape, *reader.header.shape[2:]), BLANK, np.uint8)
            yield tile, pixels

    with closing(ordered(work, fetch(), workers)) as tiles:
        yield shown(tiles)
    if damaged is None:
        reader.finish()


def _check_scale(scale: float) -> int:
    """How many times smaller ``scale`` asks for. Raises ``ValueError`` unless it is 1, 1/2, 1/4 or 1/8."""
    for reduction in (1, 2, 4, 8):
        if isinstance(scale, numbers.Real) and scale * reduction == 1:
            return reduction
    msg = f"scale must be 1, 1/2, 1/4 or 1/8, not {scale!r}"
    raise ValueError(msg)


def _check_box(box: Box | None, header: Header, reduction: int) -> Box:
    """``box`` itself or the whole image; ``ValueError`` if it is not inside the image or does not fit the scale."""
    box = (0, 0, header.width, header.height) if box is None else as_box(box)
    left, top, right, bottom = box
    if not (0 <= left < right <= header.width and 0 <= top < bottom <= header.height):
        msg = f"box {box} is not inside the image of {header.width} x {header.height} pixels"
        raise ValueError(msg)
    ends = (right if right < header.width else 0, bottom if bottom < header.height else 0)
    if any(edge % reduction for edge in (left, top, *ends)):
        msg = f"at scale 1/{reduction} box {box} must begin and end at multiples of {reduction} or at the image's edge"
        raise ValueError(msg)
    return box


def decode_region(
    source: Source,
    box: Box | None,
    *,
    scale: float = 1,
    realism: float | None = None,
    threads: int | None = None,
    backend: str | None = None,
    max_pixels: int | None = None,
    progress: Progress | None = None,
    damaged: list[int] | None = None,
) -> np.ndarray:
    """The pixels inside ``box`` = (left, top, right, bottom), decoding only the tiles it touches; None: everything.

    Returns uint8 (h, w), (h, w, 3) or (h, w, 4). ``scale``: 1, 1/2, 1/4 or 1/8; a smaller image, sides rounded up;
    they cost less than decoding all of it. The box is in pixels of the full image even then. ``realism``:
    0 = faithful ... 1 = perceptual; default from the file. ``max_pixels`` limits the size of the whole image.
    ``damaged``: give a list to get an image even from a broken file; tiles that cannot be decoded are then gray and
    their numbers appended to the list.

    Raises a ``PicoError`` for a broken or unsupported file, ``ValueError`` for another scale, a box outside the image
    or one that does not begin and end at whole pixels of the reduced image.
    """
    reduction = _check_scale(scale)
    options = dict(realism=realism, threads=threads, backend=backend, progress=progress, damaged=damaged)
    with reading(source) as file:
        return decode_open(TileReader(file, max_pixels), box, reduction, **options)


def decode_open(
    reader: TileReader,
    box: Box | None = None,
    reduction: int = 1,
    *,
    realism: float | None,
    threads: int | None,
    backend: str | None,
    progress: Progress | None = None,
    damaged: list[int] | None = None,
) -> np.ndarray:
    """As :func:`decode_region`, of a file whose header and index have been read."""
    header = reader.header
    box = _check_box(box, header, reduction)
    # The networks reduce whole windows: these must begin at whole pixels of the reduced image.
    by_network = max(by for by in header.reductions if by <= reduction)
    left, top, right, bottom = (-(-edge // by_network) for edge in box)
    last_column, last_row = (right - 1) * by_network, (bottom - 1) * by_network
    chosen = header.grid.covering(left * by_network, top * by_network, last_column + 1, last_row + 1)

    if realism is not None:
        realism = check_realism(realism)
    if reduction > 1:  # reduced images are faithful, by whichever way
        realism = 0.0
    options = dict(realism=realism, threads=threads, backend=backend, damaged=damaged, reduction=by_network)
    out = np.empty((bottom - top, right - left, *header.shape[2:]), np.uint8)
    with decoded_tiles(reader, chosen, **options) as tiles:
        for done, (tile, pixels) in enumerate(tiles, 1):
            place(out, (left, top, right, bottom), tile.reduced(by_network), pixels)
            if progress:
                progress(done, len(chosen))
    return box_average(out, reduction // by_network)


class DecodeOptions(TypedDict, total=False):
    """The keyword options of :func:`decode_region`."""

    scale: float
    realism: float | None
    threads: int | None
    backend: str | None
    max_pixels: int | None
    progress: Progress | None
    damaged: list[int] | None


def decode(source: Source, **options: Unpack[DecodeOptions]) -> np.ndarray:
    """A .pico file's pixels: uint8 (H, W), (H, W, 3) or (H, W, 4). Options as in :func:`decode_region`."""
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
        reader = TileReader(file, max_pixels)
        grid = reader.header.grid
        with decoded_tiles(reader, grid, realism=realism, threads=threads, backend=backend, damaged=None) as tiles:
            for band in grid.bands():
                parts = [next(tiles)[1] for _ in band]
                yield band[0].rows[0], np.concatenate(parts, axis=1)
