"""Context decoder and one-shot context model: where mu and q of every latent come from.

Neither feeds the entropy coder (the scales come from the integer scale decoder, from z alone), so both may run
in floating point on any accelerator: a symbol once decoded means ``q * symbol + mu`` up to rounding noise.

The latents' grid at 1/16 is split into its 2 x 2 phases, each a grid at 1/32. Four steps, one for each phase: a
step sees the prior p and the phases reconstructed before it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.phases import ORDER
from .config import ModelConfig
from .conv_scale import ConvScale
from .haar import HaarUp
from .level import ResolutionScale
from .transforms import LATENT_GAIN

PHASES = 4


def split_phases(x: Tensor) -> list[Tensor]:
    """(B, C, H, W) -> the four phases (B, C, H/2, W/2), in coding order."""
    return [x[:, :, r::2, c::2] for r, c in ORDER]


def join_phases(phases: list[Tensor]) -> Tensor:
    """Inverse of :func:`split_phases`."""
    by_offset = dict(zip(ORDER, phases, strict=True))
    rows = [torch.stack((by_offset[r, 0], by_offset[r, 1]), dim=-1).flatten(-2) for r in (0, 1)]
    return torch.stack(rows, dim=-2).flatten(-3, -2)


class ContextStep(nn.Module):
    """(p, earlier phases) -> mu and q > 0 of one phase, each (B, latents, H/32, W/32)."""

    def __init__(self, config: ModelConfig, phase: int) -> None:
        super().__init__()
        width, seen = config.context_channels, config.latents * phase
        self.mix = ConvScale(config.prior_channels + seen, width)
        self.scale = ResolutionScale(width, config.levels)
        self.gather = ConvScale(width, width, kernel=3, groups=width)
        self.hidden = ConvScale(width, width)
        self.head = ConvScale(width, 2 * config.latents)
        # The first guess is mu = 0 and the level's own width; reconstructed latents come in at pixel scale.
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.mix.scale_in[:, config.prior_channels :] = 1.0 / LATENT_GAIN

    def forward(self, prior: Tensor, seen: list[Tensor], weights: Tensor, log_width: Tensor) -> tuple[Tensor, Tensor]:
        x = self.mix(torch.cat([prior, *seen], dim=1) if seen else prior)
        x = F.leaky_relu(self.scale(x, weights), 0.1)
        x = x + F.leaky_relu(self.hidden(self.gather(x)), 0.1)
        mu, log_q = self.head.halves(x)
        return mu, torch.exp((log_q + log_width).clamp(-6.0, 8.0))


class ContextModel(nn.Module):
    """z (B, hyperlatents, H/64, W/64), integers -> mu and q, phase by phase."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = HaarUp(config.hyperlatents, config.prior_channels)
        self.gather = ConvScale(config.prior_channels, config.prior_channels, kernel=3, groups=config.prior_channels)
        self.hidden = ConvScale(config.prior_channels, config.prior_channels)
        self.steps = nn.ModuleList(ContextStep(config, i) for i in range(PHASES))
        self.log_width = nn.Parameter(torch.zeros(config.levels, config.latents))

    def prior(self, z: Tensor) -> Tensor:
        """The context decoder: z -> p (B, prior channels, H/32, W/32)."""
        x = F.leaky_relu(self.up(z / 4.0), 0.1)
        return x + F.leaky_relu(self.hidden(self.gather(x)), 0.1)

    def phases(
        self, z: Tensor, weights: Tensor, reconstruct: Callable[[int, Tensor, Tensor], Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Run the four steps; ``reconstruct(phase, mu, q)`` gives a phase's latents as the decoder will have them.

        Returns reconstructed latents, mu and q of each phase, each (B, latents, H/32, W/32).
        """
        prior = self.prior(z)
        log_width = (weights @ self.log_width).to(prior.dtype)[:, :, None, None]
        seen: list[Tensor] = []
        mus, qs = [], []
        for phase, step in enumerate(self.steps):
            mu, q = step(prior, seen, weights, log_width)
            mus.append(mu)
            qs.append(q)
            seen.append(reconstruct(phase, mu, q))
        return seen, mus, qs

    def forward(
        self, z: Tensor, weights: Tensor, reconstruct: Callable[[int, Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`phases`, joined: latents, mu and q, each (B, latents, H/16, W/16)."""
        return tuple(map(join_phases, self.phases(z, weights, reconstruct)))
