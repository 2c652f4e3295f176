"""DISTS (Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity", 2020).

VGG16's convolutions are those of LPIPS (:mod:`.lpips`); how much each channel's texture and structure count comes from
the PyPI package ``DISTS-pytorch`` 0.1 (``pip install --no-deps DISTS-pytorch``), whose code is not used.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .installed import package_folder
from .lpips import Lpips

_STAGES = ((0, 1), (2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12))  # convolutions of VGG16 between its poolings
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STABLE = 1e-6


def _pool(x: Tensor) -> Tensor:
    """Root mean square under a 3 x 3 Hann window, every second row and column."""
    window = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(window, window).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


class Dists(nn.Module):
    """Distance (B,) of two batches (B, 3, H, W) of RGB values in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        folder = package_folder("DISTS_pytorch", "DISTS-pytorch==0.1", "DISTS needs the weights")
        weights = torch.load(folder / "weights.pt", weights_only=True)
        total = weights["alpha"].sum() + weights["beta"].sum()
        self.convs = Lpips("vgg").convs
        channels = [3, *(self.convs[stage[-1]].out_channels for stage in _STAGES)]
        self.texture, self.structure = (
            [part.flatten() for part in torch.split(weights[name] / total, channels, dim=1)]
            for name in ("alpha", "beta")
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """The image and five depths of VGG16."""
        found = [x]
        x = (x - torch.tensor(_MEAN).view(1, 3, 1, 1)) / torch.tensor(_SPREAD).view(1, 3, 1, 1)
        for number, stage in enumerate(_STAGES):
            x = _pool(x) if number else x
            for conv in stage:
                x = F.relu(self.convs[conv](x))
            found.append(x)
        return found

    def distance(self, seen: list[Tensor], others: list[Tensor]) -> Tensor:
        """(B,) of the :meth:`features` of two batches."""
        similarity = 0.0
        for x, y, texture, structure in zip(seen, others, self.texture, self.structure, strict=True):
            mean_x, mean_y = x.mean((2, 3)), y.mean((2, 3))
            covariance = (x * y).mean((2, 3)) - mean_x * mean_y
            variances = x.var((2, 3), correction=0) + y.var((2, 3), correction=0)
            same_texture = (2 * mean_x * mean_y + _STABLE) / (mean_x**2 + mean_y**2 + _STABLE)
            same_structure = (2 * covariance + _STABLE) / (variances + _STABLE)
            similarity = similarity + (texture * same_texture + structure * same_structure).sum(1)
        return 1 - similarity

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.distance(self.features(a), self.features(b))


@cache
def dists_network() -> Dists:
    """The network, loaded once."""
    return Dists().eval()
