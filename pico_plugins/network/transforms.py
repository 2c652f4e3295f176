"""Analysis (pixels -> y, z) and synthesis (y -> pixels) transforms.

Pixels enter and leave as blocks of 4 x 4: (B, 48, H/4, W/4), as ``F.pixel_unshuffle(pixels, 4)`` orders them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.scale_decoder import HYPERLATENT_LIMIT
from .blocks import ResolutionStage
from .config import ModelConfig, Stage
from .conv_scale import ConvScale
from .haar import BlockHead, BlockStem, HaarDown, HaarUp

LATENT_GAIN = 16.0
"""y starts as 16 times an orthonormal transform of pixels in [0, 1]: a quantization width of 1 is 1/16 of the range."""

PREVIEWS = (8, 4)
"""How many times smaller the images are that the decoder can show from its features, coarse to fine."""


class Encoder(nn.Module):
    """Pixel blocks (B, 48, H/4, W/4) in [0, 1] -> y (B, latents, H/16, W/16), z (B, hyperlatents, H/64, W/64).

    z is not rounded yet. One network: the hyper-encoder is its last part. H and W must be multiples of 64.
    """

    def __init__(self, config: ModelConfig, stages: tuple[Stage, Stage, Stage]) -> None:
        """``stages``: ``config.encoder`` or ``config.eye_encoder``."""
        super().__init__()
        quarter, eighth, sixteenth = stages
        self.stem = BlockStem(quarter.channels)
        self.quarter = ResolutionStage(quarter, config.levels)
        self.to_eighth = HaarDown(quarter.channels, eighth.channels)
        self.eighth = ResolutionStage(eighth, config.levels)
        self.to_sixteenth = HaarDown(eighth.channels, sixteenth.channels)
        gain = 1.0 if config.latent_convolutions else LATENT_GAIN
        self.sixteenth = ResolutionStage(sixteenth, config.levels, gain=gain)
        self.head = ConvScale(sixteenth.channels, config.latents) if config.latent_convolutions else nn.Identity()
        self.hyper_down = HaarDown(config.latents, config.hyper_channels)
        self.hyper_mix = ConvScale(config.hyper_channels, config.hyper_channels, kernel=3)
        self.hyper_head = HaarDown(config.hyper_channels, config.hyperlatents)
        nn.init.constant_(self.hyper_down.conv.scale_in, 1.0 / LATENT_GAIN)
        nn.init.constant_(self.hyper_head.conv.scale_out, 4.0)

    def after_stem(self, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Everything behind the stem's (B, C, H/4, W/4)."""
        x = self.quarter(x, weights)
        x = self.eighth(self.to_eighth(x), weights)
        x = self.sixteenth(self.to_sixteenth(x), weights)
        y = self.head(x)
        h = F.leaky_relu(self.hyper_down(y), 0.1)
        h = F.leaky_relu(self.hyper_mix(h), 0.1)
        return y, self.hyper_head(h)

    def forward(self, blocks: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return self.after_stem(self.stem(blocks - 0.5), weights)


class Decoder(nn.Module):
    """Reconstructed latents (B, latents, H/16, W/16) -> pixel blocks (B, 48, H/4, W/4), about [0, 1] but not clipped.

    On its way it passes the features from which a smaller image can be shown without going on, see :meth:`previews`,
    and to which perceptual decoding adds its :mod:`detail <pico_plugins.network.detail>`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        quarter, eighth, sixteenth = config.decoder
        self.tail = ConvScale(config.latents, sixteenth.channels) if config.latent_convolutions else nn.Identity()
        gain = 1.0 if config.latent_convolutions else 1.0 / LATENT_GAIN
        self.sixteenth = ResolutionStage(sixteenth, config.levels, gain=gain)
        self.to_eighth = HaarUp(sixteenth.channels, eighth.channels)
        self.eighth = ResolutionStage(eighth, config.levels)
        self.to_quarter = HaarUp(eighth.channels, quarter.channels)
        self.quarter = ResolutionStage(quarter, config.levels)
        self.head = BlockHead(quarter.channels)
        self.preview_heads = nn.ModuleList(ConvScale(stage.channels, 12, kernel=3) for stage in (sixteenth, eighth))
        for head in self.preview_heads:
            nn.init.zeros_(head.weight)

    def first_features(self, y_hat: Tensor, weights: Tensor) -> Tensor:
        """Features (B, C, H/16, W/16)."""
        return self.sixteenth(self.tail(y_hat), weights)

    def features(self, y_hat: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, ...) at 1/16 and at 1/8."""
        at_sixteenth = self.first_features(y_hat, weights)
        return at_sixteenth, self.eighth(self.to_eighth(at_sixteenth), weights)

    def last_features(self, at_eighth: Tensor, weights: Tensor) -> Tensor:
        """Features (B, C, H/4, W/4), from which the head makes pixels."""
        return self.quarter(self.to_quarter(at_eighth), weights)

    def full(self, at_eighth: Tensor, weights: Tensor) -> Tensor:
        """Pixel blocks from the last of :meth:`features`."""
        return self.head(self.last_features(at_eighth, weights)) + 0.5

    def previews(self, features: tuple[Tensor, Tensor]) -> list[Tensor]:
        """The image reduced 8 and 4 times: each twice as fine as its features, as blocks (B, 12, ...) of 2 x 2."""
        return [head(x) + 0.5 for head, x in zip(self.preview_heads, features, strict=True)]

    def forward(self, y_hat: Tensor, weights: Tensor) -> Tensor:
        return self.full(self.features(y_hat, weights)[-1], weights)


def round_hyperlatents(z: Tensor) -> Tensor:
    """Nearest integers in the range that z is coded in: the integer scale decoder proves its sums for it."""
    return torch.round(z).clamp(-HYPERLATENT_LIMIT, HYPERLATENT_LIMIT)
