"""Analysis (pixels -> y, z) and synthesis (y -> pixels) transforms.

Pixels enter and leave as blocks of 4 x 4: (B, 48, H/4, W/4), as ``F.pixel_unshuffle(pixels, 4)`` orders them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..scale_decoder import HYPERLATENT_LIMIT
from .blocks import ResolutionStage
from .config import ModelConfig
from .conv_scale import ConvScale
from .haar import BlockHead, BlockStem, HaarDown, HaarUp

LATENT_GAIN = 16.0
"""y starts as 16 times an orthonormal transform of pixels in [0, 1]: a quantization width of 1 is 1/16 of the range."""


class Encoder(nn.Module):
    """Pixel blocks (B, 48, H/4, W/4) in [0, 1] -> y (B, latents, H/16, W/16), z (B, hyperlatents, H/64, W/64).

    z is not rounded yet. One network: the hyper-encoder is its last part. H and W must be multiples of 64.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        quarter, eighth, sixteenth = config.encoder
        self.stem = BlockStem(quarter.channels)
        self.quarter = ResolutionStage(quarter, config.levels)
        self.to_eighth = HaarDown(quarter.channels, eighth.channels)
        self.eighth = ResolutionStage(eighth, config.levels)
        self.to_sixteenth = HaarDown(eighth.channels, sixteenth.channels)
        self.sixteenth = ResolutionStage(sixteenth, config.levels)
        self.head = ConvScale(sixteenth.channels, config.latents)
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

    ``realism`` (B,) in [0, 1] asks for 0 = faithful ... 1 = perceptual reconstruction.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        quarter, eighth, sixteenth = config.decoder
        self.tail = ConvScale(config.latents, sixteenth.channels)
        self.sixteenth = ResolutionStage(sixteenth, config.levels, realism=True)
        self.to_eighth = HaarUp(sixteenth.channels, eighth.channels)
        self.eighth = ResolutionStage(eighth, config.levels, realism=True)
        self.to_quarter = HaarUp(eighth.channels, quarter.channels)
        self.quarter = ResolutionStage(quarter, config.levels, realism=True)
        self.head = BlockHead(quarter.channels)

    def features(self, y_hat: Tensor, weights: Tensor, realism: Tensor) -> Tensor:
        """Everything before the head: (B, C, H/4, W/4)."""
        x = self.sixteenth(self.tail(y_hat), weights, realism)
        x = self.eighth(self.to_eighth(x), weights, realism)
        return self.quarter(self.to_quarter(x), weights, realism)

    def forward(self, y_hat: Tensor, weights: Tensor, realism: Tensor) -> Tensor:
        return self.head(self.features(y_hat, weights, realism)) + 0.5


def round_hyperlatents(z: Tensor) -> Tensor:
    """Nearest integers in the range that z is coded in: the integer scale decoder proves its sums for it."""
    return torch.round(z).clamp(-HYPERLATENT_LIMIT, HYPERLATENT_LIMIT)
