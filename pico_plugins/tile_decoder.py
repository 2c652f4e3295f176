"""One tile's bytes -> the pixels of it that the image keeps. What :mod:`pico_plugins.tile_coder` wrote, and alpha."""

from __future__ import annotations

import numpy as np

from .alpha import decode_alpha
from .averaging import box_average
from .errors import DamagedError
from .header import Header
from .lossless import decode_lossless
from .model import Model
from .quality import check_realism
from .tile_kind import LOSSLESS, split_tile
from .tiles import Tile


def as_gray(pixels: np.ndarray) -> np.ndarray:
    """The rounded mean of three colours: uint8 (h, w, 3) -> (h, w)."""
    return ((pixels.astype(np.uint16).sum(axis=2) + 1) // 3).astype(np.uint8)


class TileDecoding:
    """Decodes tiles of one file into pixels of its shape, or of one ``reduction`` times smaller."""

    def __init__(self, header: Header, realism: float | None, backend: str | None, reduction: int = 1) -> None:
        self.header, self.reduction = header, reduction
        realism = header.realism if realism is None else check_realism(realism)
        self.realism = 0.0 if header.strict else realism
        self.model = Model(header.model.hex(), backend)

    def __call__(self, tile: Tile, colour: bytes, alpha: bytes) -> np.ndarray:
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
        window = self.model.decode_tile(data, tile.coded_shape, level, self.realism, self.reduction)
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
