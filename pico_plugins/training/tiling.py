"""Neighbouring tiles in training: coded apart, seen together.

Perceptual losses hardly notice a slow change of colour, and tiles that drift apart show a seam. So pairs of
windows that overlap as in a file are coded independently, their kept parts joined, and means over ever larger squares
compared with the original (PICO paper, TilingArtifactLoss).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..format.tile_grid import MARGIN

SQUARES = (8, 16, 32)
"""Sides of the squares, in pixels."""


def pair_width(window: int) -> int:
    """Columns of an image that make two windows of ``window`` columns."""
    return 2 * window - 2 * MARGIN


def split_pairs(wide: Tensor) -> Tensor:
    """(B, C, H, 2 W - 8) -> (2 B, C, H, W): all left windows, then all right ones."""
    window = wide.shape[-1] // 2 + MARGIN
    return torch.cat([wide[..., :window], wide[..., -window:]])


def join_pairs(windows: Tensor) -> Tensor:
    """Inverse of :func:`split_pairs`, of windows that have been coded: each keeps all but its margin at the seam."""
    left, right = windows.chunk(2)
    return torch.cat([left[..., :-MARGIN], right[..., MARGIN:]], dim=-1)


def tiling_loss(shown: Tensor, pixels: Tensor) -> Tensor:
    """(B,): mean absolute difference of the squares' means, averaged over their sizes; both (B, 3, H, W) in [0, 1]."""
    error = shown - pixels
    return torch.stack(
        [F.avg_pool2d(error, side, ceil_mode=True, count_include_pad=False).abs().mean((1, 2, 3)) for side in SQUARES]
    ).mean(0)


def seam_error(shown: Tensor, pixels: Tensor, side: int = 32) -> Tensor:
    """(B,): how differently the squares left and right of the middle column are off, in the mean: what makes a seam."""
    middle = shown.shape[-1] // 2
    error = (shown - pixels)[..., middle - side : middle + side]
    means = F.avg_pool2d(error, side)
    return (means[..., 0] - means[..., 1]).abs().mean((1, 2))
