"""Rate plus distortion, weighted by the quality level; and phase 1, which trains for that alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network import PicoModel
from ..network.model import Coded
from ..network.transforms import PREVIEWS
from ..quality import error_worth
from .precision import reduced_precision
from .structure import structural_similarity

STRUCTURE_SCALE = 1300.0
"""1 - MS-SSIM times this weighs about as much as 255^2 MSE: the ratio of the weights that other codecs' models for
either metric use for one bit rate."""

PREVIEW_WEIGHT = 1000.0


def level_lambda(level: Tensor, levels: int) -> Tensor:
    """Weight of the distortion against bits per pixel at a ``level`` in [0, levels - 1]."""
    return error_worth(level / (levels - 1))


def faithful_distortion(shown: Tensor, pixels: Tensor, structure: float) -> tuple[Tensor, dict[str, Tensor]]:
    """D (B,) of phase 1 and its parts, for pixels in [0, 1]:

    D = (1 - structure) 255^2 MSE + structure 1300 (1 - MS-SSIM). The latter is that of one colour of each crop, drawn
    at random: in the mean it is that of all three, for a third of the time.
    """
    parts = {"mse": (shown - pixels).square().mean((1, 2, 3))}
    distortion = (1.0 - structure) * 255**2 * parts["mse"]
    if structure:
        crops, colour = torch.arange(len(pixels)), torch.randint(0, 3, (len(pixels),))
        similarity = structural_similarity(shown.contiguous()[crops, colour], pixels.contiguous()[crops, colour])
        parts["structure"] = 1.0 - similarity
        distortion = distortion + structure * STRUCTURE_SCALE * parts["structure"]
    return distortion, {name: part.detach() for name, part in parts.items()}


def rate_distortion(
    coded: Coded, pixels: Tensor, level: Tensor, levels: int, distortion: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss (scalar), and the rate (B,) by name, for pixels in [0, 1] and a ``distortion`` D (B,).

    Each crop's ``bpp + lambda D`` is divided by sqrt(lambda), so that all levels pull about equally. The previews'
    squared errors, which only their own heads learn from, are added.
    """
    rate = (coded.y_bits + coded.z_bits) / (pixels.shape[2] * pixels.shape[3])
    weight = level_lambda(level, levels)
    loss = ((rate + weight * distortion) / torch.sqrt(weight)).mean()
    for reduction, preview in zip(PREVIEWS, coded.previews, strict=True):
        loss = loss + PREVIEW_WEIGHT * (preview - F.avg_pool2d(pixels, reduction)).square().mean()
    return loss, {"bpp": rate.detach()}


class Faithful:
    """Phase 1: squared error and MS-SSIM, at realism 0. One window to a crop."""

    windows = 1

    def __init__(self, structure: float) -> None:
        """``structure`` in [0, 1]: the part of the distortion that is MS-SSIM's."""
        self.structure = structure

    def begin(self, model: PicoModel) -> None:
        """Nothing: every model has what phase 1 trains."""

    def groups(self, model: PicoModel) -> list[dict]:
        """One group."""
        return [{"params": list(model.parameters()), "pace": 1.0}]

    def loss(self, model: PicoModel, crops: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """See :class:`~pico_plugins.training.recipe.Recipe`; ``crops`` (B, 3, H, W)."""
        with reduced_precision():
            coded = model(crops, level)
        distortion, parts = faithful_distortion(coded.pixels, crops, self.structure)
        loss, rate = rate_distortion(coded, crops, level, model.config.levels, distortion)
        return loss, rate | parts

    def prepare(self) -> object:
        """All steps are alike."""

    def learn(self) -> None:
        """Nothing: it has no parameters of its own."""

    def state_dict(self) -> dict:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing to take up."""
