"""The bound that ``fidelity="strict"`` promises, and how it is checked."""

from __future__ import annotations

import numpy as np

BLOCK, BOUND = 8, 12.0
"""In a strict file no 8 x 8 pixels differ from the original by more than 12 levels of 255, root mean square."""


def worst_block(original: np.ndarray, shown: np.ndarray) -> float:
    """The largest root mean square difference, in levels, of any block of two uint8 (H, W, 3) images.

    Blocks that the right or lower edge cuts off are taken as if the last row and column went on.
    """
    errors = np.square(original.astype(np.float32) - shown).mean(2)
    errors = np.pad(errors, [(0, -side % BLOCK) for side in errors.shape], mode="edge")
    height, width = errors.shape
    blocks = errors.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((1, 3))
    return float(np.sqrt(blocks.max()))
