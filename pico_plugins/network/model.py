"""The whole codec as one module, as training sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .context import ContextModel, split_phases
from .level import level_weights
from .scale_decoder import ScaleDecoder, round_index, scale_of_index
from .transforms import Decoder, Encoder, round_hyperlatents


@dataclass
class Coded:
    """What one forward pass gives: reconstruction (B, 3, H, W), and bits (B,) spent on y and z."""

    pixels: Tensor
    y_bits: Tensor
    z_bits: Tensor


def gaussian_bits(symbols: Tensor, sigma: Tensor) -> Tensor:
    """-log2 of the probability that a zero-mean Gaussian falls within half a step of ``symbols``.

    Exact far into the tails, where it still has a gradient. Beyond 40 bits, about an escape's cost, it grows slowly.
    """
    magnitude = symbols.abs()
    upper = torch.special.log_ndtr((0.5 - magnitude) / sigma)
    lower = torch.special.log_ndtr((-0.5 - magnitude) / sigma)
    bits = -(upper + torch.log1p(-torch.exp(lower - upper).clamp_max(1 - 1e-6))) / math.log(2)
    return torch.where(bits < 40, bits, 40 + torch.log1p((bits - 40).clamp_min(0)))


def trained_bits(values: Tensor, sigma: Tensor) -> Tensor:
    """Bits of the rounded ``values``, differentiable.

    The value, and the gradient to ``sigma``, are those of the symbols that will really be coded. The gradient to
    ``values`` is that of the usual uniform noise in place of rounding. (Noise for everything would charge a symbol that
    is always 0 about 0.17 bits at the smallest scale, instead of nothing: 0.2 bits per pixel for 1.25 latents a pixel.)
    """
    exact = gaussian_bits(torch.round(values).detach(), sigma)
    noisy = gaussian_bits(values + torch.rand_like(values) - 0.5, sigma.detach())
    return exact + noisy - noisy.detach()


def _round(x: Tensor) -> Tensor:
    return x + (torch.round(x) - x).detach()


class PicoModel(nn.Module):
    """Encoder, entropy model and decoder with the straight-through quantization used in training."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.context = ContextModel(config)
        self.scale_decoder = ScaleDecoder(config)
        self.decoder = Decoder(config)
        self.z_index = nn.Parameter(torch.full((config.hyperlatents,), 3.0))  # in units of 10 indices

    def hyper_index(self) -> Tensor:
        """Scale-table index (hyperlatents,) of each hyperlatent channel: frozen, it depends on no input."""
        return round_index(self.z_index * 10.0)

    def forward(self, pixels: Tensor, level: Tensor, realism: Tensor) -> Coded:
        """``pixels`` (B, 3, H, W) in [0, 1]; ``level`` (B,), ``realism`` (B,) in [0, 1].

        Levels are multiples of 1/32 in [0, levels - 1].
        """
        weights = level_weights(level, self.config.levels)
        y, z = self.encoder(F.pixel_unshuffle(pixels, 4), weights)
        y, z = y.float(), z.float()

        z_sigma = scale_of_index(self.hyper_index()).view(1, -1, 1, 1)
        z_bits = trained_bits(z, z_sigma)
        z_hat = z + (round_hyperlatents(z) - z).detach()

        with torch.autocast("cpu", enabled=False):
            index = self.scale_decoder(z_hat, weights)
        coded = index > 0
        y_phases, coded_phases = split_phases(y), split_phases(coded)

        def reconstruct(phase: int, mu: Tensor, q: Tensor) -> Tensor:
            mu, q = mu.float(), q.float()
            return _round((y_phases[phase] - mu) / q) * coded_phases[phase] * q + mu

        y_hat, mu, q = self.context(z_hat, weights, reconstruct)
        # At index 0 nothing is coded; a symbol that would not have been 0 is charged, so that its scale grows.
        residual = (y - mu.float()) / q.float()
        y_bits = trained_bits(residual, scale_of_index(index))

        blocks = self.decoder(y_hat, weights, realism)
        return Coded(F.pixel_shuffle(blocks, 4).float(), y_bits.sum((1, 2, 3)), z_bits.sum((1, 2, 3)))
