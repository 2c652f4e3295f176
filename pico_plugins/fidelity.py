"""How far an image is from its original, and the bound that ``fidelity="strict"`` promises."""

from __future__ import annotations

import math

import numpy as np

BLOCK, BOUND = 8, 12.0
"""In a strict file no block of 8 x 8 pixels differs from the original by more than 12 levels of 255, root mean square.

Blocks are counted from the corner of what the image keeps of each tile."""

IN_HAND = 0.25
"""By so much less must the encoder see: another machine or backend may round a pixel in 16 to the next level."""


def squared_errors(original: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Squared difference of every pixel in levels, mean of its colours: uint8 (H, W, C) twice -> float32 (H, W)."""
    return np.square(original.astype(np.float32) - shown).mean(2)


def psnr(original: np.ndarray, shown: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all values of two uint8 images, in dB; infinite if they are equal."""
    error = np.square(original.astype(np.float32) - shown).mean(dtype=np.float64)
    return math.inf if error == 0 else float(-10 * math.log10(error / 255**2))


def block_errors(original: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Root mean square difference, in levels, of every block of two uint8 (H, W, C) images.

    float32 (ceil(H / 8), ceil(W / 8)). Blocks that the right or lower edge cuts off are taken as if the last row and
    column went on.
    """
    errors = squared_errors(original, shown)
    errors = np.pad(errors, [(0, -side % BLOCK) for side in errors.shape], mode="edge")
    height, width = errors.shape
    blocks = errors.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((1, 3))
    return np.sqrt(blocks)


def worst_block(original: np.ndarray, shown: np.ndarray) -> float:
    """The largest of :func:`block_errors`."""
    return float(block_errors(original, shown).max())
