"""Wasserstein distortion of two images: how differently their textures look (Qiu et al., "Wasserstein distortion:
unifying fidelity and realism", 2023, arXiv 2310.03629; as an objective of codecs: Balle et al., 2024, arXiv
2412.00505).

VGG16 describes both images by features. Around each place, the mean and the standard deviation of each feature stand
for a Gaussian distribution. The squared 2-Wasserstein distance of two Gaussians is

    W^2 = (mean_a - mean_b)^2 + (deviation_a - deviation_b)^2

so texture may be another sample of the same kind, but may be neither smoother nor different. The neighbourhood here is
the same everywhere: three rounds of a 3 x 3 binomial low-pass and halving (log2 sigma = 3). The distortion is the mean
of W^2 over places and features, summed over four depths of VGG16: relu1_2, relu2_2, relu3_3 and relu4_3.

VGG16's weights are those of :mod:`.lpips`.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .lpips import lpips_network

ROUNDS = 3
"""Rounds of low-pass and halving: log2 of the neighbourhood's sigma, in places of the feature map."""

DEPTHS = 4
"""How many of the five depths of LPIPS count: relu5_3 does not."""

_EPSILON = 1e-4
"""Added to variances: the square root has a bounded gradient where a feature is constant."""


@cache
def _binomial(device: torch.device) -> Tensor:
    """(3, 3), made once for a device: a step of training must not wait for numbers from the host."""
    taps = torch.tensor([0.25, 0.5, 0.25], device=device)
    return torch.outer(taps, taps)


def _halved(x: Tensor) -> Tensor:
    """Low-pass with the 3 x 3 binomial filter, every second row and column; mirrored at the edges."""
    kernel = _binomial(x.device).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def local_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Local means and standard deviations, each (B, C, H/8, W/8), of features (B, C, H, W); computed in float32."""
    with torch.autocast(features.device.type, enabled=False):  # a variance is a small difference of large numbers
        means = features.float()
        squares = means.square()
        for _ in range(ROUNDS):
            means, squares = _halved(means), _halved(squares)
    return means, ((squares - means.square()).clamp_min(0) + _EPSILON).sqrt()


def wasserstein_distance(seen: list[Tensor], others: list[Tensor]) -> Tensor:
    """(B,) of VGG16's activations at :data:`DEPTHS` depths, of two batches."""
    total = 0.0
    for x, y in zip(seen[:DEPTHS], others[:DEPTHS], strict=True):
        (mean_x, deviation_x), (mean_y, deviation_y) = local_statistics(x), local_statistics(y)
        squared = (mean_x - mean_y).square() + (deviation_x - deviation_y).square()
        total = total + squared.mean((1, 2, 3))
    return total


class Wasserstein(nn.Module):
    """Distortion (B,) of two batches (B, 3, H, W) of RGB values in [0, 1], sides of at least 64. Differentiable."""

    def features(self, x: Tensor) -> list[Tensor]:
        """VGG16's activations at four depths."""
        return lpips_network("vgg").activations(x, DEPTHS)

    def distance(self, seen: list[Tensor], others: list[Tensor]) -> Tensor:
        """(B,) of the :meth:`features` of two batches."""
        return wasserstein_distance(seen, others)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.distance(self.features(a), self.features(b))


@cache
def wasserstein_network() -> Wasserstein:
    """The network, loaded once."""
    return Wasserstein().eval()
