"""Smaller images by averaging."""

from __future__ import annotations

import numpy as np


def box_average(pixels: np.ndarray, by: int) -> np.ndarray:
    """uint8 (H, W, ...) -> the rounded means of ``by`` x ``by`` boxes; edge values stand for what boxes lack."""
    if by == 1:
        return pixels
    height, width = pixels.shape[:2]
    extra = [(0, -height % by), (0, -width % by), *[(0, 0)] * (pixels.ndim - 2)]
    padded = np.pad(pixels, extra, mode="edge").astype(np.uint16)
    h, w = padded.shape[0] // by, padded.shape[1] // by
    sums = padded.reshape(h, by, w, by, *pixels.shape[2:]).sum(axis=(1, 3), dtype=np.uint32)
    return ((sums + by * by // 2) // (by * by)).astype(np.uint8)
