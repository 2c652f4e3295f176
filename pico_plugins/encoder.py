"""Pixels -> file."""

from __future__ import annotations

import io
import math
import operator
import os
from collections.abc import Iterator
from typing import BinaryIO, TypedDict, Unpack

import numpy as np

from . import weights
from .errors import LimitError
from .files import writing
from .format.header import MAX_TILE, MIN_TILE, Header, check_pixels
from .format.metadata import Metadata
from .format.tile_grid import MARGIN, SMALL_TILE, TILE, Tile, TileGrid
from .format.writer import write_file
from .integers import as_integer
from .pipeline import Progress, ordered, thread_count
from .quality import check_fidelity, check_realism, check_tune, level_of_quality
from .tiles.codec import encode_tile
from .tiles.lossless import encode_alpha
from .tiles.model import Model

READ_TOGETHER = 1 << 25
"""So many bytes of a lazy source are read together, or a row of tiles if that is more."""


def _check_pixels(pixels: np.ndarray) -> tuple[int, int, int]:
    """(height, width, channels), or ``ValueError``."""
    dtype = getattr(pixels, "dtype", None)
    try:
        shape = tuple(map(operator.index, pixels.shape))  # a lazy source may have NumPy's integers, or not know
    except (AttributeError, TypeError):
        shape = ()
    if dtype != np.uint8 or len(shape) not in (2, 3) or 0 in shape or shape[2:] not in ((), (3,), (4,)):
        got = f"{dtype} {pixels.shape}" if hasattr(pixels, "shape") else type(pixels).__name__
        msg = f"pixels must be a non-empty uint8 array of shape (H, W), (H, W, 3) or (H, W, 4), not {got}"
        if isinstance(dtype, np.dtype) and dtype != np.uint8:
            msg += ": scale the values to 0...255 first"
        raise ValueError(msg)
    return shape[0], shape[1], shape[2] if len(shape) == 3 else 1


def _windows(pixels: np.ndarray, grid: TileGrid, shape: tuple[int, ...]) -> Iterator[tuple[Tile, np.ndarray]]:
    """Every tile and its window, (h, w, 1, 3 or 4).

    A source that is no array is read here, by the thread that asks for the next window: it may not stand several at
    once. And each of its rows is read once, many together: it may compute what it gives.
    """
    together = READ_TOGETHER // math.prod(shape[1:])
    rows, start, end = (pixels, 0, shape[0]) if isinstance(pixels, np.ndarray) else (np.empty(0, np.uint8), 0, 0)
    for band in grid.bands():
        top, bottom = band[0].window_rows
        if bottom > end:
            stop = min(max(bottom, end + together), shape[0])
            fresh = _read(pixels, end, stop, shape)
            rows = np.concatenate([rows[top - start :], fresh]) if end else fresh
            start, end = top, stop
        for tile in band:
            window = np.asarray(rows[top - start : bottom - start, slice(*tile.window_columns)])
            yield tile, window.reshape(*window.shape[:2], -1)


def _read(pixels: np.ndarray, start: int, stop: int, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of a lazy source; ``ValueError`` if it gives something else than it declares."""
    rows = np.asarray(pixels[start:stop, 0 : shape[1]])
    if rows.dtype != np.uint8 or rows.shape != (stop - start, *shape[1:]):
        msg = f"pixels gave {rows.dtype} {rows.shape} for rows {start} to {stop} of uint8 {shape}"
        raise ValueError(msg)
    return rows


def encode_file(
    target: str | os.PathLike | BinaryIO,
    pixels: np.ndarray,
    quality: float = 75,
    *,
    metadata: Metadata | None = None,
    realism: float | None = None,
    fidelity: str = "normal",
    tune: str = "pixels",
    tile: int | None = None,
    threads: int | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Write ``pixels`` as a .pico file.

    ``pixels``: uint8 (H, W) gray, (H, W, 3) sRGB or (H, W, 4) sRGB with alpha. A memory map or a lazy array with NumPy
    slicing will do: it is read from top to bottom, each row once, in the calling thread; 32 MB at a time, or 500 rows
    if they are more (a dask array with larger chunks computes them several times: rechunk or persist it).
    ``quality``: 1 ... 100. ``tune``: "pixels" makes the error of the faithful decoding small; "eye" spends the same
    bits on how the decoding at realism 1 looks. Both write the same format. ``realism``: 0 ... 1, the default of later
    decoding; 0, or 1 for files tuned for the eye. ``fidelity``: "strict" codes tiles better, some without loss, until
    no 8 x 8 pixels are further from the original than :data:`pico_plugins.fidelity.BOUND`; ``realism`` then has no
    effect, and ``tune`` must be "pixels". ``tile``: side of a tile in pixels (default 504; images up to 1024 x 1024 are
    one tile). ``threads``: tiles coded at once (default: one for each CPU). A path is replaced atomically, at the end.

    Raises ``ValueError`` for pixels or options out of range, ``OSError`` when writing fails, and ``UnsupportedError``
    if the model has no encoder for ``tune``.
    """
    height, width, channels = _check_pixels(pixels)
    level = level_of_quality(quality)
    tune = check_tune(tune)
    realism = float(tune == "eye") if realism is None else check_realism(realism)
    strict = check_fidelity(fidelity)
    if strict and tune == "eye":
        msg = "fidelity='strict' bounds the error of pixels: it cannot be combined with tune='eye'"
        raise ValueError(msg)
    if not isinstance(metadata, Metadata | None):
        msg = f"metadata must be a pico_plugins.Metadata, not {type(metadata).__name__}"
        raise TypeError(msg)
    if tile is None:
        tile = SMALL_TILE if max(height, width) <= SMALL_TILE + 2 * MARGIN else TILE
    tile = as_integer(tile, "tile")
    if not MIN_TILE <= tile <= MAX_TILE:
        msg = f"tile must be from {MIN_TILE} to {MAX_TILE} pixels, not {tile!r}"
        raise ValueError(msg)
    model = Model(weights.DEFAULT, backend)
    workers = thread_count(threads)
    header = Header(
        width=width,
        height=height,
        channels=1 if channels == 1 else 3,
        alpha=channels == 4,
        level=level,
        realism=realism,
        tile=tile,
        margin=MARGIN,
        model=bytes.fromhex(weights.DEFAULT),
        strict=strict,
        tune=tune,
        metadata=metadata or Metadata(),
    )
    try:
        check_pixels(header, width * height)  # what is written can be read
    except LimitError:
        msg = f"an image of {width} x {height} pixels is too narrow: its padding is too much work for its readers; cut "
        msg += "it into shorter pieces"
        raise LimitError(msg) from None

    def code(item: tuple[Tile, np.ndarray]) -> tuple[bytes, bytes]:
        tile, window = item[0].alone, item[1]
        colour = np.repeat(window, 3, axis=2) if channels == 1 else window[:, :, :3]
        coded = encode_tile(model, tile, tile.gather(colour), level, strict=strict, gray=channels == 1, tune=tune)
        return coded, encode_alpha(np.ascontiguousarray(tile.kept(window)[:, :, 3])) if header.alpha else b""

    grid = header.grid
    coded = []
    for result in ordered(code, _windows(pixels, grid, header.shape), workers):
        coded.append(result)
        if progress:
            progress(len(coded), len(grid))
    with writing(target) as file:
        write_file(file, header, coded)


class EncodeOptions(TypedDict, total=False):
    """The keyword options of :func:`encode_file`."""

    metadata: Metadata | None
    realism: float | None
    fidelity: str
    tune: str
    tile: int | None
    threads: int | None
    backend: str | None
    progress: Progress | None


def encode(pixels: np.ndarray, quality: float = 75, **options: Unpack[EncodeOptions]) -> bytes:
    """``pixels`` as the bytes of a .pico file; everything as in :func:`encode_file`. Same input, same bytes."""
    out = io.BytesIO()
    encode_file(out, pixels, quality, **options)
    return out.getvalue()
