"""Phase-1 loss: rate plus mean squared error, weighted by the quality level."""

from __future__ import annotations

import torch
from torch import Tensor

from ..network.model import Coded

LAMBDA_MIN, LAMBDA_MAX = 0.0005, 0.1
"""Weight of 255^2 * MSE against bits per pixel at the lowest and the highest quality level."""


def level_lambda(level: Tensor, levels: int) -> Tensor:
    """Distortion weight of a ``level`` in [0, levels - 1], logarithmic between the two ends."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level / (levels - 1))


def rate_distortion(coded: Coded, pixels: Tensor, level: Tensor, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Loss (scalar), bits per pixel (B,) and MSE (B,) for pixels in [0, 1].

    Each crop's ``bpp + lambda 255^2 MSE`` is divided by sqrt(lambda), so that all levels pull about equally.
    """
    bpp = (coded.y_bits + coded.z_bits) / (pixels.shape[2] * pixels.shape[3])
    mse = (coded.pixels - pixels).square().mean((1, 2, 3))
    weight = level_lambda(level, levels)
    loss = ((bpp + weight * 255**2 * mse) / torch.sqrt(weight)).mean()
    return loss, bpp, mse
