"""The networks as a phone's accelerator takes them: static 512 x 512 windows, four axes everywhere, pixels at the ends.

They compute what the graphs in :mod:`pico_plugins.network.graphs` compute, from the same weights, in operations that
the Neural Engine has: the quality level's interpolation is a 1 x 1 convolution, the phases of the latents are taken and
put back by depthwise convolutions with one-hot kernels, masks are numbers. The integer scale decoder is not in them: it
stays on the CPU, between encoder and quantizer, and before the decoder.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.phases import ORDER
from ..network.conv_scale import FoldableConv
from ..network.fold import FoldedConv
from ..network.graphs import SynthesisGraph
from ..network.level import ResolutionScale
from ..network.shipped import load_analysis, load_dequantizer, load_perceptual, load_synthesis, model_config
from ..network.transforms import round_hyperlatents
from ..weights import ANALYSIS_FILES, PERCEPTUAL_FILE

SIDE = 512
"""Windows of the default tile, 504 and a margin of 4 on each side, and the only size that these programs take."""


class LevelTable(nn.Module):
    """A table (levels, C) read at interpolation weights (1, levels, 1, 1): (1, C, 1, 1)."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(table.t()[:, :, None, None].clone(), requires_grad=False)

    def forward(self, weights: Tensor) -> Tensor:
        return F.conv2d(weights, self.weight)


class DeviceScale(nn.Module):
    """:class:`~pico_plugins.network.level.ResolutionScale` with four axes."""

    def __init__(self, scale: ResolutionScale) -> None:
        super().__init__()
        self.table = LevelTable(scale.gain * scale.table)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x * self.table(weights)


class DeviceConv(FoldedConv):
    """The same convolution with its weights whole, as they are shipped."""

    halves = FoldableConv.halves


def _for_device(module: nn.Module) -> nn.Module:
    """A copy of ``module`` with its scales and convolutions replaced."""
    if isinstance(module, ResolutionScale):
        return DeviceScale(module)
    if isinstance(module, FoldedConv):
        return DeviceConv(module)
    module = copy.copy(module)
    module._modules = {name: _for_device(child) for name, child in module._modules.items()}
    return module


class Interpolation(nn.Module):
    """Level (1, 1, 1, 1) -> weights (1, levels, 1, 1) of the two embeddings next to it."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.register_buffer("nodes", torch.arange(levels, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, level: Tensor) -> Tensor:
        return F.relu(1.0 - (level - self.nodes).abs())


class Phases(nn.Module):
    """The four phases of a grid, in coding order, and the grid again."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        kernels = torch.zeros(4, channels, 1, 2, 2)
        for kernel, (row, column) in zip(kernels, ORDER, strict=True):
            kernel[:, :, row, column] = 1.0
        self.register_buffer("kernels", kernels)

    def split(self, x: Tensor) -> list[Tensor]:
        return [F.conv2d(x, kernel, stride=2, groups=self.channels) for kernel in self.kernels]

    def join(self, phases: list[Tensor]) -> Tensor:
        spread = [
            F.conv_transpose2d(phase, kernel, stride=2, groups=self.channels)
            for phase, kernel in zip(phases, self.kernels, strict=True)
        ]
        return spread[0] + spread[1] + spread[2] + spread[3]


class DeviceContext(nn.Module):
    """The context model: z, and a function that makes a phase's symbols -> symbols and latents, phase by phase."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        graph = load_dequantizer(folder)
        self.context, self.levels = _for_device(graph.context), Interpolation(graph.levels)
        self.width = LevelTable(graph.context.log_width)
        self.phases = Phases(graph.context.log_width.shape[1])

    def forward(self, z: Tensor, level: Tensor, symbols_of) -> tuple[list[Tensor], list[Tensor]]:
        weights = self.levels(level)
        prior, log_width = self.context.prior(z), self.width(weights)
        symbols: list[Tensor] = []
        latents: list[Tensor] = []
        for phase, step in enumerate(self.context.steps):
            mu, q = step(prior, latents, weights, log_width)
            symbols.append(symbols_of(phase, mu, q))
            latents.append(symbols[-1] * q + mu)
        return symbols, latents


class EncoderProgram(nn.Module):
    """image (1, 3, 512, 512) 0 ... 255, level -> latents y (1, C, 32, 32), hyperlatents z (1, Z, 8, 8), rounded."""

    def __init__(self, folder: Path, tune: str = "pixels") -> None:
        super().__init__()
        graph = load_analysis(folder, tune)
        self.encoder, self.levels = _for_device(graph.encoder), Interpolation(graph.levels)

    def forward(self, image: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder.stem(F.pixel_unshuffle(image - 127.5, 4))
        y, z = self.encoder.after_stem(features, self.levels(level))
        return y, round_hyperlatents(z)


class QuantizerProgram(nn.Module):
    """hyperlatents, latents, coded (1 where the scale decoder's index is above 0, else 0), level -> symbols."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.model = DeviceContext(folder)

    def forward(self, hyperlatents: Tensor, latents: Tensor, coded: Tensor, level: Tensor) -> Tensor:
        given, mask = self.model.phases.split(latents), self.model.phases.split(coded)

        def symbols_of(phase: int, mu: Tensor, q: Tensor) -> Tensor:
            return torch.round((given[phase] - mu) / q) * mask[phase]

        return self.model.phases.join(self.model(hyperlatents, level, symbols_of)[0])


class DecoderProgram(nn.Module):
    """hyperlatents, symbols (0 where nothing was coded), level -> image (1, 3, 512, 512), whole 0 ... 255: faithful."""

    def __init__(self, folder: Path, graph: SynthesisGraph | None = None) -> None:
        """``graph``: the one in ``folder`` that has the decoder's weights, if it is not the faithful one."""
        super().__init__()
        self.model, graph = DeviceContext(folder), graph or load_synthesis(folder)
        self.decoder, self.head = _for_device(graph.decoder), copy.copy(graph.head)
        self.head.bias = nn.Parameter(graph.head.bias - 0.5, requires_grad=False)  # rounding by rounding again

    def features(self, hyperlatents: Tensor, symbols: Tensor, level: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """The decoder's features at 1/16 and 1/8, and the level's weights."""
        given = self.model.phases.split(symbols)
        _, phases = self.model(hyperlatents, level, lambda phase, mu, q: given[phase])
        weights = self.model.levels(level)
        return self.decoder.features(self.model.phases.join(phases), weights), weights

    def image(self, at_eighth: Tensor, weights: Tensor) -> Tensor:
        """Pixels from the features at 1/8."""
        blocks = self.head(self.decoder.last_features(at_eighth, weights))
        return F.pixel_shuffle(torch.round(blocks.clamp(0.0, 255.0)), 4)

    def forward(self, hyperlatents: Tensor, symbols: Tensor, level: Tensor) -> Tensor:
        features, weights = self.features(hyperlatents, symbols, level)
        return self.image(features[1], weights)


class PerceptualProgram(DecoderProgram):
    """hyperlatents, symbols, level, realism -> image, of a model that has a detail branch."""

    def __init__(self, folder: Path) -> None:
        graph = load_perceptual(folder)
        super().__init__(folder, graph)
        self.detail = _for_device(graph.detail)
        self.noise = nn.Parameter(graph.noise(torch.empty(1, 1, SIDE // 8, SIDE // 8)), requires_grad=False)

    def forward(self, hyperlatents: Tensor, symbols: Tensor, level: Tensor, realism: Tensor) -> Tensor:
        features, weights = self.features(hyperlatents, symbols, level)
        return self.image(features[1] + realism * self.detail(*features, weights, self.noise), weights)


def programs(folder: Path) -> dict[str, Callable[[Path], nn.Module]]:
    """The programs that the model in ``folder`` makes, by name."""
    made = {"encoder": EncoderProgram, "quantizer": QuantizerProgram, "decoder": DecoderProgram}
    optional = {
        "perceptual": (PERCEPTUAL_FILE, PerceptualProgram),
        "encoder-eye": (ANALYSIS_FILES["eye"], partial(EncoderProgram, tune="eye")),
    }
    return made | {name: make for name, (file, make) in optional.items() if (folder / file).exists()}


OUTPUTS = {
    "encoder": ["latents", "hyperlatents"],
    "quantizer": ["symbols"],
    "decoder": ["image"],
    "perceptual": ["image"],
    "encoder-eye": ["latents", "hyperlatents"],
}


def input_shapes(folder: Path, program: str) -> dict[str, tuple[int, int, int, int]]:
    """Names and shapes of what a program takes, in order."""
    config = model_config(folder)
    grid, coarse, one = (1, config.latents, SIDE // 16, SIDE // 16), SIDE // 64, (1, 1, 1, 1)
    hyperlatents = (1, config.hyperlatents, coarse, coarse)
    return {
        "encoder": {"image": (1, 3, SIDE, SIDE), "level": one},
        "encoder-eye": {"image": (1, 3, SIDE, SIDE), "level": one},
        "quantizer": {"hyperlatents": hyperlatents, "latents": grid, "coded": grid, "level": one},
        "decoder": {"hyperlatents": hyperlatents, "symbols": grid, "level": one},
        "perceptual": {"hyperlatents": hyperlatents, "symbols": grid, "level": one, "realism": one},
    }[program]
