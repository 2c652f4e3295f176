"""Pixels -> file."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, TypedDict, Unpack

import numpy as np

from . import weights
from .alpha import encode_alpha
from .files import writing
from .header import MAX_TILE, MIN_TILE, Header, check_pixels, write_file
from .metadata import Metadata
from .model import Model
from .pipeline import Progress, ordered, thread_count
from .quality import check_fidelity, check_realism, check_tune, level_of_quality
from .tile_coder import encode_tile
from .tiles import Tile

TILE = 504
MARGIN = 4
SMALL_TILE = 1016
"""Images that fit into one window of twice the size are coded as one tile: no seam, and less is spent on edges."""


def _check_pixels(pixels: np.ndarray) -> tuple[int, int, int]:
    """(height, width, channels), or ``ValueError``."""
    shape, dtype = getattr(pixels, "shape", None), getattr(pixels, "dtype", None)
    channels = 1 if shape is not None and len(shape) == 2 else shape[2] if shape is not None and len(shape) == 3 else 0
    if dtype != np.uint8 or channels not in (1, 3, 4) or shape[2:] == (1,) or 0 in shape:
        got = f"{dtype} {shape}" if shape is not None else type(pixels).__name__
        msg = f"pixels must be a non-empty uint8 array of shape (H, W), (H, W, 3) or (H, W, 4), not {got}"
        raise ValueError(msg)
    return shape[0], shape[1], channels


class _RgbView:
    """Three channels of an array, made window by window: gray is repeated, alpha left out."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        part = np.asarray(self._pixels[window])
        return np.repeat(part[:, :, None], 3, axis=2) if part.ndim == 2 else part[:, :, :3]


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

    ``pixels``: uint8 (H, W) gray, (H, W, 3) sRGB or (H, W, 4) sRGB with alpha. It is read window by window, so a
    memory map or a lazy array with NumPy slicing will do. ``quality``: 1 ... 100. ``tune``: "pixels" makes the error of
    the faithful decoding small; "eye" spends the same bits on how the decoding at realism 1 looks. Both write the same
    format. ``realism``: 0 ... 1, the default of later decoding; 0, or 1 for files tuned for the eye. ``fidelity``:
    "strict" codes tiles better, some without loss, until no 8 x 8 pixels are further from the original than
    :data:`pico_plugins.fidelity.BOUND`; ``realism`` then has no effect, and ``tune`` must be "pixels". ``tile``: side
    of a tile in pixels (default 504; images up to 1024 x 1024 are one tile). ``threads``: tiles coded at once (default:
    one for each CPU). A path is replaced atomically, at the end.

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
    if tile is None:
        tile = SMALL_TILE if max(height, width) <= SMALL_TILE + 2 * MARGIN else TILE
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
    check_pixels(header, width * height)  # what is written can be read
    rgb = _RgbView(pixels)

    def code(tile: Tile) -> tuple[bytes, bytes]:
        alpha = b""
        if header.alpha:
            alpha = encode_alpha(np.ascontiguousarray(pixels[slice(*tile.rows), slice(*tile.columns)][:, :, 3]))
        return encode_tile(model, tile, tile.gather(rgb), level, strict=strict, gray=channels == 1, tune=tune), alpha

    grid = header.grid
    coded = []
    for result in ordered(code, grid, workers):
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
