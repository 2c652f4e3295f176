"""Phase-1 loss: rate plus distortion, weighted by the quality level."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network.model import Coded
from ..network.transforms import PREVIEWS
from .structure import structural_similarity

LAMBDA_MIN, LAMBDA_MAX = 0.0003, 0.25
"""Weight of the distortion against bits per pixel at the lowest and the highest quality level."""

STRUCTURE_SCALE = 1300.0
"""1 - MS-SSIM times this weighs about as much as 255^2 MSE: the ratio of the weights that other codecs' models for
either metric use for one bit rate."""

PREVIEW_WEIGHT = 1000.0


def level_lambda(level: Tensor, levels: int) -> Tensor:
    """Distortion weight of a ``level`` in [0, levels - 1], logarithmic between the two ends."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level / (levels - 1))


def rate_distortion(
    coded: Coded, pixels: Tensor, level: Tensor, levels: int, structure: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss (scalar), and its parts (B,) by name, for pixels in [0, 1].

    Each crop's ``bpp + lambda D`` is divided by sqrt(lambda), so that all levels pull about equally;
    D = (1 - structure) 255^2 MSE + structure 1300 (1 - MS-SSIM). The previews' squared errors, which only their own
    heads learn from, are added.
    """
    parts = {
        "bpp": (coded.y_bits + coded.z_bits) / (pixels.shape[2] * pixels.shape[3]),
        "mse": (coded.pixels - pixels).square().mean((1, 2, 3)),
    }
    distortion = (1.0 - structure) * 255**2 * parts["mse"]
    if structure:
        parts["structure"] = 1.0 - structural_similarity(coded.pixels, pixels)
        distortion = distortion + structure * STRUCTURE_SCALE * parts["structure"]
    weight = level_lambda(level, levels)
    loss = ((parts["bpp"] + weight * distortion) / torch.sqrt(weight)).mean()
    for reduction, preview in zip(PREVIEWS, coded.previews, strict=True):
        loss = loss + PREVIEW_WEIGHT * (preview - F.avg_pool2d(pixels, reduction)).square().mean()
    return loss, {name: value.detach() for name, value in parts.items()}
