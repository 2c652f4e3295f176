"""One tile <-> bytes: its colour, by the model at some level or without loss, and its alpha.

The first byte of the colour (:mod:`pico_plugins.format.tile_kind`) says how it is coded: without loss where that is
worth it or has to be. Flat areas, text and drawings are smaller without loss than as the model's latents, or a little
larger and much better; a photo is ten times larger.
"""

from __future__ import annotations

import numpy as np

from ..errors import DamagedError
from ..fidelity import BOUND, IN_HAND, squared_errors, worst_block
from ..format.header import Header
from ..format.tile_grid import Tile
from ..format.tile_kind import LOSSLESS, split_tile
from ..quality import LEVEL_STEPS, MAX_LEVEL, check_realism, error_worth
from .averaging import box_average
from .lossless import decode_alpha, decode_lossless, encode_lossless
from .model import Model

_TINY = 64
"""Bytes below which nothing else needs to be tried: some pixels of one colour."""


def as_gray(pixels: np.ndarray) -> np.ndarray:
    """The rounded mean of three colours: uint8 (h, w, 3) -> (h, w)."""
    return ((pixels.astype(np.uint16).sum(axis=2) + 1) // 3).astype(np.uint8)


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
    """The bytes of a tile's colour; ``window`` is what :meth:`Tile.gather` gives, ``level`` in 1/32.

    ``tune`` is the encoder's. A drawn tile is coded without loss if the model's error is worth more bits than that
    costs. ``strict``: at a higher level, or without loss, if at ``level`` the tile would miss :data:`fidelity.BOUND`.
    ``gray``: the three colours are one, and what is shown is the mean of the decoded ones.
    """
    original = tile.kept(window)
    lossless = encode_lossless(original) if looks_drawn(original) else b""
    if 0 < len(lossless) <= _TINY:
        return bytes([LOSSLESS]) + lossless
    for tried in range(level, MAX_LEVEL + 1, LEVEL_STEPS):
        coded = model.encode_window(window, tried, tune)
        if not strict and not lossless:
            return bytes([tried]) + coded
        if lossless and len(lossless) <= len(coded):
            break
        pair = _compared(original, tile.kept(model.decode_window(coded, tile.coded_shape, tried, realism=0.0)), gray)
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


class TileDecoder:
    """Decodes tiles of one file into pixels of its shape, or of one ``reduction`` times smaller."""

    def __init__(self, header: Header, realism: float | None, backend: str | None, reduction: int = 1) -> None:
        self.header, self.reduction = header, reduction
        realism = header.realism if realism is None else check_realism(realism)
        self.realism = 0.0 if header.strict else realism
        self.model = Model(header.model.hex(), backend)

    def decode(self, tile: Tile, colour: bytes, alpha: bytes) -> np.ndarray:
        """The kept part of a tile: uint8 (h, w), (h, w, 3) or (h, w, 4)."""
        try:
            kept = self._colour(tile, colour)
            if self.header.channels == 1:
                kept = as_gray(kept)
                if not self.header.alpha:
                    return kept
                kept = np.repeat(kept[:, :, None], 3, axis=2)
            if self.header.alpha:
                kept = np.dstack([kept, self._reduced(tile, decode_alpha(alpha, tile.kept_shape))])
        except DamagedError as error:
            msg = f"{error} (tile {tile.number})"
            raise DamagedError(msg) from error
        return kept

    def _colour(self, tile: Tile, data: bytes) -> np.ndarray:
        level, data = split_tile(data)
        if level == LOSSLESS:
            return self._reduced(tile, decode_lossless(data, tile.kept_shape))
        window = self.model.decode_window(data, tile.coded_shape, level, self.realism, self.reduction)
        return tile.reduced(self.reduction).kept(window)

    def _reduced(self, tile: Tile, full: np.ndarray) -> np.ndarray:
        """The kept part of a tile from all its pixels."""
        if self.reduction == 1:
            return full
        small = tile.reduced(self.reduction)
        for axis, (kept, wanted) in enumerate(((tile.rows, small.rows), (tile.columns, small.columns))):
            # Reduced pixels may begin inside the tile, and end outside: there its last values are repeated.
            full = np.moveaxis(full, axis, 0)[wanted[0] * self.reduction - kept[0] :]
            extra = (wanted[1] - wanted[0]) * self.reduction - len(full)
            full = np.moveaxis(np.pad(full, [(0, extra)] + [(0, 0)] * (full.ndim - 1), mode="edge"), 0, axis)
        return box_average(full, self.reduction)
