"""How one tile's colour is coded: by the model at some level, or without loss where that is smaller or has to be.

The first byte (:mod:`.tile_kind`) says which. Flat areas, text and drawings are smaller without loss than as the
model's latents; a photo is ten times larger.
"""

from __future__ import annotations

import numpy as np

from .fidelity import BOUND, IN_HAND, worst_block
from .lossless import encode_lossless
from .model import Model
from .quality import LEVEL_STEPS, MAX_LEVEL
from .tile_decoder import as_gray
from .tile_kind import LOSSLESS
from .tiles import Tile

_TINY = 64
"""Bytes below which nothing else needs to be tried: some pixels of one colour."""


def looks_drawn(pixels: np.ndarray) -> bool:
    """Whether three quarters of the pixels of (H, W, 3) equal their left neighbour: in photos few do.

    Every sixteenth row is asked: this must cost nothing where nothing is drawn.
    """
    rows = pixels[::16]
    same = (rows[:, 1:] == rows[:, :-1]).all(axis=2)
    return same.size > 0 and 4 * np.count_nonzero(same) >= 3 * same.size


def encode_tile(model: Model, tile: Tile, window: np.ndarray, level: int, *, strict: bool, gray: bool) -> bytes:
    """The bytes of a tile; ``window`` is what :meth:`Tile.gather` gives, ``level`` in 1/32.

    ``strict``: at a higher level, or without loss, if at ``level`` the tile would miss :data:`fidelity.BOUND`.
    ``gray``: the three colours are one, and what is shown is the mean of the decoded ones.
    """
    original = tile.kept(window)
    lossless = encode_lossless(original) if looks_drawn(original) else b""
    if 0 < len(lossless) <= _TINY:
        return bytes([LOSSLESS]) + lossless
    for tried in range(level, MAX_LEVEL + 1, LEVEL_STEPS):
        coded = model.encode_tile(window, tried)
        if lossless and len(lossless) <= len(coded):
            break
        if not strict or _within_bound(model, tile, original, coded, tried, gray):
            return bytes([tried]) + coded
        lossless = lossless or encode_lossless(original)
    return bytes([LOSSLESS]) + lossless


def _within_bound(model: Model, tile: Tile, original: np.ndarray, coded: bytes, level: int, gray: bool) -> bool:
    shown = model.decode_tile(coded, tile.coded_shape, level, realism=0.0)
    shown = tile.kept(shown)
    if gray:
        original, shown = original[:, :, :1], as_gray(shown)[:, :, None]
    return worst_block(original, shown) <= BOUND - IN_HAND
