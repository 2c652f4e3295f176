"""MS-SSIM of luma (Wang, Simoncelli & Bovik 2003), quick to differentiate.

pytorch-msssim gives the same values (a test compares them), but the gradient of its convolutions with one channel takes
longer than all the rest of a training step. Blurring along an axis is a product with a banded matrix: those are fast.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
_TAPS, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2  # for values in [0, 1]
_LUMA = (0.299, 0.587, 0.114)


@cache
def _blur(size: int) -> Tensor:
    """(size - 10, size): the Gaussian window at every place where it fits."""
    window = torch.exp(-((torch.arange(_TAPS) - _TAPS // 2) ** 2) / (2 * _SIGMA**2))
    rows = size - _TAPS + 1
    matrix = torch.zeros(rows, size)
    for tap, value in enumerate(window / window.sum()):
        matrix[torch.arange(rows), torch.arange(rows) + tap] = value
    return matrix


def structural_similarity(shown: Tensor, pixels: Tensor) -> Tensor:
    """MS-SSIM (B,) of (B, 3, H, W) images with values about [0, 1], on luma. Sides of at least 176 pixels."""
    luma = torch.tensor(_LUMA).view(1, 3, 1, 1)
    a, b = ((image.contiguous() * luma).sum(1) for image in (shown, pixels))
    logarithm = 0.0
    for scale, weight in enumerate(_WEIGHTS):
        maps = torch.stack([a, b, a * a, b * b, a * b])
        mean_a, mean_b, square_a, square_b, product = _blur(a.shape[1]) @ (maps @ _blur(a.shape[2]).t())
        variances = square_a + square_b - mean_a * mean_a - mean_b * mean_b
        similarity = (2 * (product - mean_a * mean_b) + _C2) / (variances + _C2)
        if scale == len(_WEIGHTS) - 1:
            similarity = similarity * (2 * mean_a * mean_b + _C1) / (mean_a * mean_a + mean_b * mean_b + _C1)
        # Below the clamp an image has nothing in common with its original, and a power of it no useful gradient.
        logarithm = logarithm + weight * torch.log(similarity.mean((1, 2)).clamp_min(1e-3))
        a, b = (F.avg_pool2d(image[:, None], 2)[:, 0] for image in (a, b))
    return torch.exp(logarithm)
