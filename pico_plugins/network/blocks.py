"""The block every resolution is made of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import Stage
from .conv_scale import ConvScale
from .level import ResolutionScale


class ConvScale311(nn.Module):
    """Inverted residual: k x k (C -> E*C), 1 x 1 (-> F*C), 1 x 1 (-> C), added to its input.

    A depthwise first convolution is followed by no activation (it only gathers), a dense one is. The last
    convolution's output scale starts at ``gain``: blocks begin almost as identities.
    """

    def __init__(self, stage: Stage, gain: float = 0.03) -> None:
        super().__init__()
        c, wide = stage.channels, stage.channels * stage.e
        self.gather = ConvScale(c, wide, kernel=stage.kernel, groups=c if stage.depthwise else 1)
        self.expand = ConvScale(wide, c * stage.f)
        self.project = ConvScale(c * stage.f, c)
        self.activate_gather = not stage.depthwise
        nn.init.constant_(self.project.scale_out, gain)

    def forward(self, x: Tensor) -> Tensor:
        y = self.gather(x)
        if self.activate_gather:
            y = F.leaky_relu(y, 0.1)
        return x + self.project(F.leaky_relu(self.expand(y), 0.1))


class ResolutionStage(nn.Module):
    """All blocks of one resolution and the learned scale that ends them."""

    def __init__(self, stage: Stage, levels: int, gain: float = 1.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvScale311(stage) for _ in range(stage.blocks))
        self.scale = ResolutionScale(stage.channels, levels, gain)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.scale(x, weights)
