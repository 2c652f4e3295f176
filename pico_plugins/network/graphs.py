"""The networks as they are called at run time: uint8 pixel blocks at the ends, one tile, folded weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .context import PHASES
from .detail import NoisePattern
from .fold import fold
from .level import level_weights
from .model import PicoModel
from .transforms import PREVIEWS, round_hyperlatents


class AnalysisGraph(nn.Module):
    """blocks uint8 (1, 48, H/4, W/4), level (1,) -> y (1, C, H/16, W/16), z (1, Z, H/64, W/64), rounded."""

    def __init__(self, model: PicoModel, tune: str = "pixels") -> None:
        super().__init__()
        self.encoder, self.levels = fold(model.encoder_for(tune)), model.config.levels
        stem = self.encoder.stem
        stem.weight = nn.Parameter(stem.weight / 255.0)  # takes pixels as 0 ... 255, less their middle

    def forward(self, blocks: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder.stem(blocks.float() - 127.5)
        y, z = self.encoder.after_stem(features, level_weights(level, self.levels))
        return y, round_hyperlatents(z)


class ContextGraph(nn.Module):
    """The context model, once for each direction below.

    Latents, symbols and ``coded`` are phases, (1, 4 C, H/32, W/32): ONNX Runtime is slow at taking them apart and
    joining them.
    """

    def __init__(self, model: PicoModel) -> None:
        super().__init__()
        self.context, self.levels = fold(model.context), model.config.levels


class QuantizerGraph(ContextGraph):
    """hyperlatents, latents, coded (uint8, 0 or 1), level (1,) -> symbols."""

    def forward(self, hyperlatents: Tensor, latents: Tensor, coded: Tensor, level: Tensor) -> Tensor:
        given, mask = latents.chunk(PHASES, 1), coded.float().chunk(PHASES, 1)
        symbols: list[Tensor] = []

        def reconstruct(phase: int, mu: Tensor, q: Tensor) -> Tensor:
            symbols.append(torch.round((given[phase] - mu) / q) * mask[phase])
            return symbols[-1] * q + mu

        self.context.phases(hyperlatents, level_weights(level, self.levels), reconstruct)
        return torch.cat(symbols, 1)


class DequantizerGraph(ContextGraph):
    """hyperlatents, symbols (0 where nothing is coded), level (1,) -> reconstructed latents."""

    def forward(self, hyperlatents: Tensor, symbols: Tensor, level: Tensor) -> Tensor:
        given = symbols.chunk(PHASES, 1)
        weights = level_weights(level, self.levels)
        return torch.cat(self.context.phases(hyperlatents, weights, lambda i, mu, q: given[i] * q + mu)[0], 1)


class SynthesisGraph(nn.Module):
    """latents (1, C, H/16, W/16), level (1,) -> uint8 pixel blocks of the image, perhaps reduced: faithful decoding.

    ``reduction`` 1 gives (1, 48, H/4, W/4), blocks of 4 x 4 pixels, as ``F.pixel_unshuffle`` orders them. The others
    give blocks of 2 x 2 pixels, 12 values: 2 from the same features, 4 and 8 from coarser ones, where they stop.
    """

    def __init__(self, model: PicoModel, reduction: int) -> None:
        super().__init__()
        self.decoder, self.levels, self.reduction = fold(model.decoder), model.config.levels, reduction
        self.full = reduction not in PREVIEWS
        self.head = self.decoder.head if self.full else self.decoder.preview_heads[PREVIEWS.index(reduction)]
        weight, bias = self.head.weight, self.head.bias
        if reduction == 2:  # means of 2 x 2 pixels, taken of the weights that make them
            weight = weight.view(3, 2, 2, 2, 2, *weight.shape[1:]).mean((2, 4)).flatten(0, 2)
            bias = bias.view(3, 2, 2, 2, 2).mean((2, 4)).flatten()
        # Pixels as 0 ... 255 and rounding by truncation: 255 (x + 0.5) + 0.5, in the weights.
        self.head.weight = nn.Parameter(weight * 255.0)
        self.head.bias = nn.Parameter((bias + 0.5) * 255.0 + 0.5)

    def forward(self, latents: Tensor, level: Tensor) -> Tensor:
        weights = level_weights(level, self.levels)
        if self.reduction == max(PREVIEWS):
            return self.pixels(self.decoder.first_features(latents, weights), weights)
        return self.pixels(self.decoder.features(latents, weights)[1], weights)

    def pixels(self, features: Tensor, weights: Tensor) -> Tensor:
        """Pixel blocks from the last features that are needed."""
        values = self.head(self.decoder.last_features(features, weights) if self.full else features)
        return values.clamp(0.0, 255.0).to(torch.uint8)


class PerceptualGraph(SynthesisGraph):
    """latents, level, realism (1,) -> uint8 pixel blocks (1, 48, H/4, W/4), of a model that has a detail branch."""

    def __init__(self, model: PicoModel) -> None:
        super().__init__(model, reduction=1)
        self.detail, self.noise = fold(model.detail), NoisePattern()

    def forward(self, latents: Tensor, level: Tensor, realism: Tensor) -> Tensor:
        weights = level_weights(level, self.levels)
        at_sixteenth, at_eighth = self.decoder.features(latents, weights)
        detail = self.detail(at_sixteenth, at_eighth, weights, self.noise(at_eighth))
        return self.pixels(at_eighth + realism * detail, weights)
