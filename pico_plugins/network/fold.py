"""Fold everything that training learned separately into plain convolutions."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from .conv_scale import FoldableConv


class FoldedConv(FoldableConv):
    """A :class:`FoldableConv` whose scales and Haar transform are multiplied into one weight."""

    def __init__(self, conv: FoldableConv) -> None:
        super().__init__()
        weight, bias = conv.folded()
        self.weight, self.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        self.convolve = conv.convolve

    def folded(self) -> tuple[Tensor, Tensor]:
        return self.weight, self.bias

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output in two halves, each from a convolution of its own: runtimes fuse what follows into these."""
        weights, biases = self.weight.chunk(2), self.bias.chunk(2)
        return self.convolve(x, weights[0], biases[0]), self.convolve(x, weights[1], biases[1])


def fold(module: nn.Module) -> nn.Module:
    """A copy of ``module`` in which every foldable convolution is folded; it computes the same function."""
    if isinstance(module, FoldableConv):
        return FoldedConv(module)
    module = copy.copy(module)
    module._modules = {name: fold(child) for name, child in module._modules.items()}
    return module
