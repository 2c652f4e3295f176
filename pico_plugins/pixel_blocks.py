"""Pixels to the 4 x 4 blocks that the networks take, and back from the blocks of any side that they give.

Rearranging bytes here costs a tenth of what it costs inside the graphs.
"""

from __future__ import annotations

import math

import numpy as np


def to_blocks(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> (48, H/4, W/4), a block's values ordered colour, row, column."""
    h, w, _ = pixels.shape
    blocks = pixels.reshape(h // 4, 4, w // 4, 4, 3).transpose(4, 1, 3, 0, 2)
    return np.ascontiguousarray(blocks).reshape(48, h // 4, w // 4)


def from_blocks(blocks: np.ndarray) -> np.ndarray:
    """uint8 (H/s, W/s, 3 s s), blocks of s x s pixels in the order row, column, colour -> (H, W, 3)."""
    h, w, values = blocks.shape
    side = math.isqrt(values // 3)
    rows = blocks.reshape(h, w, side, 3 * side).swapaxes(1, 2)
    return np.ascontiguousarray(rows).reshape(side * h, side * w, 3)
