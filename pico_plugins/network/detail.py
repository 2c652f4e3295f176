"""What a perceptual decoding adds to the faithful one: detail that the file does not have.

A network of its own beside the decoder's, onto the decoder's features at 1/8. Realism is the factor it is added with:
at 0 it is not run at all, and the decoding is the faithful one. Where the decoder is linear behind those features, as
the shipped one is, a realism between 0 and 1 shows that mixture of the two pictures.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .blocks import ResolutionStage
from .config import ModelConfig
from .conv_scale import ConvScale
from .haar import HaarUp

NOISE_CHANNELS = 32
NOISE_SIDE = 63
"""The pattern's side, that of a tile at 1/8: it repeats from tile to tile, and texture goes on across their borders."""


class DetailBranch(nn.Module):
    """Features (B, C, H/16, W/16), (B, D, H/8, W/8), noise (B, 32, H/8, W/8) -> what is added to the latter features.

    Texture needs noise to be made of: convolutions alone can only repeat themselves. How much of it goes where is
    learned.
    """

    def __init__(self, config: ModelConfig) -> None:
        """``config.detail`` has its sizes. It begins by adding nothing."""
        super().__init__()
        eighth, sixteenth = config.detail
        _, decoder_eighth, decoder_sixteenth = (stage.channels for stage in config.decoder)
        self.enter = ConvScale(decoder_sixteenth, sixteenth.channels)
        self.sixteenth = ResolutionStage(sixteenth, config.levels)
        self.to_eighth = HaarUp(sixteenth.channels, eighth.channels)
        self.beside = ConvScale(decoder_eighth, eighth.channels)
        self.gate = ConvScale(eighth.channels, NOISE_CHANNELS)
        self.spread = ConvScale(NOISE_CHANNELS, eighth.channels)
        self.eighth = ResolutionStage(eighth, config.levels)
        self.leave = ConvScale(eighth.channels, decoder_eighth, kernel=3)
        nn.init.zeros_(self.leave.weight)

    def forward(self, at_sixteenth: Tensor, at_eighth: Tensor, weights: Tensor, noise: Tensor) -> Tensor:
        x = self.sixteenth(self.enter(at_sixteenth), weights)
        x = self.to_eighth(x) + self.beside(at_eighth)
        x = x + self.spread(self.gate(x) * noise)
        return self.leave(self.eighth(x, weights))


class NoisePattern(nn.Module):
    """The noise of all decoders that ship: the same for every file and machine, exact in half precision."""

    def __init__(self) -> None:
        super().__init__()
        # RandomState's numbers are promised not to change between versions of NumPy.
        drawn = np.random.RandomState(0).standard_normal((1, NOISE_CHANNELS, NOISE_SIDE, NOISE_SIDE))
        self.pattern = nn.Parameter(torch.from_numpy(drawn.astype(np.float16).astype(np.float32)), requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        """(1, 32, h, w) for features (B, C, h, w)."""
        rows, columns = (torch.arange(side) % NOISE_SIDE for side in features.shape[2:])
        return self.pattern[:, :, rows][:, :, :, columns]
