"""MS-SSIM of one colour (Wang, Simoncelli & Bovik 2003), quick to differentiate.

pytorch-msssim gives the same values (a test compares them), but the gradient of its convolutions with one channel takes
longer than all the rest of a training step. Blurring along an axis is a product with a banded matrix: those are fast,
and faster in blocks, which leave most of its zeros out.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
_TAPS, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2  # for values in [0, 1]


_BLOCK = 64  # outputs of one product


@cache
def _band() -> Tensor:
    """(_BLOCK + 10, _BLOCK): the Gaussian window at every place of a block."""
    window = torch.exp(-((torch.arange(_TAPS) - _TAPS // 2) ** 2) / (2 * _SIGMA**2))
    band = torch.zeros(_BLOCK + _TAPS - 1, _BLOCK)
    for tap, value in enumerate(window / window.sum()):
        band[torch.arange(_BLOCK) + tap, torch.arange(_BLOCK)] = value
    return band


def _blurred(x: Tensor) -> Tensor:
    """(..., n) -> (..., n - 10): blurred along the last axis, where the window fits."""
    length = x.shape[-1] - _TAPS + 1
    blocks = -(-length // _BLOCK)
    windows = F.pad(x, (0, blocks * _BLOCK - length)).unfold(-1, _BLOCK + _TAPS - 1, _BLOCK)
    outputs = windows.reshape(-1, _BLOCK + _TAPS - 1) @ _band()
    return outputs.view(*x.shape[:-1], blocks * _BLOCK)[..., :length]


class _Blur(torch.autograd.Function):
    """:func:`_blurred`; as the window is symmetric, its transpose is the blur of the padded gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return _blurred(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return _blurred(F.pad(grad, (_TAPS - 1, _TAPS - 1)))


def _blur(maps: Tensor) -> Tensor:
    """(..., H, W) -> (..., W - 10, H - 10): blurred along both axes, and transposed."""
    return _Blur.apply(_Blur.apply(maps).transpose(-1, -2))


def structural_similarity(shown: Tensor, pixels: Tensor) -> Tensor:
    """MS-SSIM (B,) of planes (B, H, W) with values about [0, 1]. Sides of at least 176 pixels."""
    a, b, logarithm = shown, pixels, 0.0
    for scale, weight in enumerate(_WEIGHTS):
        mean_a, square_a, product = _blur(torch.stack([a, a * a, a * b]))
        mean_b, square_b = _blur(torch.stack([b, b * b]))  # apart: no gradient goes to the original
        variances = square_a + square_b - mean_a * mean_a - mean_b * mean_b
        similarity = (2 * (product - mean_a * mean_b) + _C2) / (variances + _C2)
        if scale == len(_WEIGHTS) - 1:
            similarity = similarity * (2 * mean_a * mean_b + _C1) / (mean_a * mean_a + mean_b * mean_b + _C1)
        # Below the clamp an image has nothing in common with its original, and a power of it no useful gradient.
        logarithm = logarithm + weight * torch.log(similarity.mean((1, 2)).clamp_min(1e-3))
        a, b = (F.avg_pool2d(image[:, None], 2)[:, 0] for image in (a, b))
    return torch.exp(logarithm)
