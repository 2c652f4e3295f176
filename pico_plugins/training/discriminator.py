"""The adversary of the perceptual phase: is this patch of a photo, at this quality, a real one?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Pixels (B, 3, H, W) in [0, 1], latents (B, C, H/16, W/16), level weights (B, levels) -> logits (B, 1, H/8, W/8).

    It sees what the file says of the picture: detail that is plausible but does not fit the latents is not real.
    Spectrally normalised, so that its gradients stay bounded.
    """

    def __init__(self, latents: int, levels: int, width: int = 64) -> None:
        super().__init__()

        def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
            return spectral_norm(nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2))

        self.latents = conv(latents, width // 4, kernel=1)
        self.at_half = conv(12, width // 2)  # pixels as blocks of 2 x 2
        self.at_quarter = conv(width // 2, width, stride=2)
        self.at_eighth = conv(width + width // 4, 2 * width, stride=2)
        self.deep = conv(2 * width, 3 * width)
        self.deeper = conv(3 * width, 3 * width)
        self.level = nn.Parameter(torch.zeros(levels, 3 * width))
        self.logits = conv(3 * width, 1, kernel=1)

    def forward(self, pixels: Tensor, latents: Tensor, weights: Tensor) -> Tensor:
        x = F.leaky_relu(self.at_half(F.pixel_unshuffle(2 * pixels - 1, 2)), 0.2)
        x = F.leaky_relu(self.at_quarter(x), 0.2)
        seen = F.interpolate(self.latents(latents / 16), scale_factor=4)
        x = F.leaky_relu(self.at_eighth(torch.cat([x, seen], dim=1)), 0.2)
        x = F.leaky_relu(self.deep(x), 0.2)
        x = F.leaky_relu(self.deeper(x) + (weights @ self.level)[:, :, None, None], 0.2)
        return self.logits(x)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Scalar: cross-entropy of logits for real and for decoded patches."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def realism_loss(fake: Tensor, weight: Tensor) -> Tensor:
    """(B,): how surely decoded patches are found out (non-saturating); ``weight`` (B, 1, h, w) for each patch."""
    return (F.softplus(-fake) * weight).mean((1, 2, 3))
