"""How one tile's colour is coded: by the model at some level, or without loss where that is worth it or has to be.

The first byte (:mod:`.tile_kind`) says which. Flat areas, text and drawings are smaller without loss than as the
model's latents, or a little larger and much better; a photo is ten times larger.
"""

from __future__ import annotations

import numpy as np

from .fidelity import BOUND, IN_HAND, squared_errors, worst_block
from .lossless import encode_lossless
from .model import Model
from .quality import LEVEL_STEPS, MAX_LEVEL, error_worth
from .tile_decoder import as_gray
from .tile_kind import LOSSLESS
from .tiles import Tile

_TINY = 64
"""Bytes below which nothing else needs to be tried: some pixels of one colour."""


def looks_drawn(pixels: np.ndarray) -> bool:
    """Whether half of the pixels of (H, W, 3) equal their left neighbour, and few are nearly equal: rare in photos.

    Every sixteenth row is asked: this must cost nothing where nothing is drawn.
    """
    rows = pixels[::16].astype(np.int16)
    steps = np.abs(rows[:, 1:] - rows[:, :-1]).max(axis=2)
    same, near = np.count_nonzero(steps == 0), np.count_nonzero((steps > 0) & (steps <= 4))
    return steps.size > 0 and 2 * same >= steps.size >= 16 * near


def encode_tile(
    model: Model, tile: Tile, window: np.ndarray, level: int, *, strict: bool, gray: bool, tune: str = "pixels"
) -> bytes:
    """The bytes of a tile; ``window`` is what :meth:`Tile.gather` gives, ``level`` in 1/32, ``tune`` the encoder's.

    A drawn tile is coded without loss if the model's error is worth more bits than that costs. ``strict``: at a higher
    level, or without loss, if at ``level`` the tile would miss :data:`fidelity.BOUND`. ``gray``: the three colours are
    one, and what is shown is the mean of the decoded ones.
    """
    original = tile.kept(window)
    lossless = encode_lossless(original) if looks_drawn(original) else b""
    if 0 < len(lossless) <= _TINY:
        return bytes([LOSSLESS]) + lossless
    for tried in range(level, MAX_LEVEL + 1, LEVEL_STEPS):
        coded = model.encode_tile(window, tried, tune)
        if not strict and not lossless:
            return bytes([tried]) + coded
        if lossless and len(lossless) <= len(coded):
            break
        pair = _compared(original, tile.kept(model.decode_tile(coded, tile.coded_shape, tried, realism=0.0)), gray)
        if lossless and len(lossless) <= len(coded) + _error_bytes(*pair, tried):
            break
        if not strict or worst_block(*pair) <= BOUND - IN_HAND:
            return bytes([tried]) + coded
        lossless = lossless or encode_lossless(original)
    return bytes([LOSSLESS]) + lossless


def _compared(original: np.ndarray, shown: np.ndarray, gray: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both as the viewer will see them."""
    return (original[:, :, :1], as_gray(shown)[:, :, None]) if gray else (original, shown)


def _error_bytes(original: np.ndarray, shown: np.ndarray, level: int) -> float:
    """What the squared error of ``shown`` is worth, in bytes, at a ``level`` in 1/32."""
    squared = squared_errors(original, shown).sum(dtype=np.float64)
    return float(squared) * error_worth(level / MAX_LEVEL) / 8
