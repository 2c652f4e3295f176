"""The adversary of the perceptual phase: is this patch of a photo, at this quality, a real one?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PENALTY = 0.02
"""Weight of the gradient penalties for logits of single patches: R1, of originals (Mescheder, Geiger & Nowozin 2018),
and R2, of decoded windows."""


class Discriminator(nn.Module):
    """Pixels (B, 3, H, W) in [0, 1], latents (B, C, H/16, W/16), level weights (B, levels) -> logits (B, 1, H/8, W/8).

    It sees what the file says of the picture: detail that is plausible but does not fit the latents is not real.
    Plain convolutions without normalisation, held by penalties on their gradient, as in R3GAN (Huang et al. 2024, arXiv
    2501.05441): with spectral normalisation it learned nothing. Logits are the sum of those of patches of two sizes.
    """

    def __init__(self, latents: int, levels: int, width: int = 64) -> None:
        """``width`` channels at half of the resolution, eight times as many at 1/16: 3.2 million parameters at 64."""
        super().__init__()

        def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
            made = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2)
            nn.init.kaiming_normal_(made.weight, 0.2)
            nn.init.zeros_(made.bias)
            return made

        self.latents = conv(latents, width, kernel=1)
        self.at_half = conv(12, width)  # pixels as blocks of 2 x 2
        self.at_quarter = conv(width, 2 * width, stride=2)
        self.at_eighth = conv(2 * width, 4 * width, stride=2)
        self.beside_latents = conv(5 * width, 4 * width)
        self.deep = conv(4 * width, 4 * width)
        self.at_sixteenth = conv(4 * width, 8 * width, stride=2)
        self.deepest = conv(8 * width, 8 * width, kernel=1)
        self.level = nn.Parameter(torch.zeros(levels, 4 * width))
        self.logits = conv(4 * width, 1, kernel=1)
        self.wide_logits = conv(8 * width, 1, kernel=1)

    def forward(self, pixels: Tensor, latents: Tensor, weights: Tensor) -> Tensor:
        x = F.leaky_relu(self.at_half(F.pixel_unshuffle(4 * pixels - 2, 2)), 0.2)
        x = F.leaky_relu(self.at_quarter(x), 0.2)
        x = F.leaky_relu(self.at_eighth(x), 0.2)
        seen = F.interpolate(self.latents(latents / 16), scale_factor=2)
        x = F.leaky_relu(self.beside_latents(torch.cat([x, seen], dim=1)), 0.2)
        x = F.leaky_relu(self.deep(x) + (weights @ self.level)[:, :, None, None], 0.2)
        wide = F.leaky_relu(self.deepest(F.leaky_relu(self.at_sixteenth(x), 0.2)), 0.2)
        return self.logits(x) + F.interpolate(self.wide_logits(wide), scale_factor=2)


def found_out(real: Tensor, fake: Tensor) -> Tensor:
    """(B, 1, h, w): how surely each decoded patch is told from the real one at its place (relativistic pairing:
    Jolicoeur-Martineau 2018). The discriminator wants the opposite: :func:`discriminator_loss`."""
    return F.softplus(real - fake)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Scalar, of logits for real patches and for decoded ones at the same places."""
    return F.softplus(fake - real).mean()


def gradient_penalty(logits: Tensor, pixels: Tensor) -> Tensor:
    """Scalar: mean over patches of their squared gradient to the ``pixels`` seen, which must require one."""
    (gradient,) = torch.autograd.grad(logits.sum(), pixels, create_graph=True)
    return gradient.square().sum() / logits.numel()
