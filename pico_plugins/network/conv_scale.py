"""ConvScale: a convolution that learns, beside its weights, one scale for each input and each output channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .depthwise import depthwise


class FoldableConv(nn.Module):
    """A convolution whose parameters multiply out to plain weights: ``folded`` gives, ``convolve`` uses them."""

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as an export stores them."""
        raise NotImplementedError

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The module's operation, given folded weights."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, *self.folded())

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output in two halves of its channels."""
        return self(x).chunk(2, dim=1)


class ConvScale(FoldableConv):
    """Convolution with W' = s_in * s_out * W and b' = s_out * b (PICO paper, section on ConvScale).

    ``s_in`` has one value for each input channel of a group, ``s_out`` one for each output channel. Both are
    constants once trained: :meth:`folded` is what an export stores. "Same" zero padding; (B, C, H, W) in and out.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, groups: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.groups, self.padding = groups, kernel // 2
        self.weight = nn.Parameter(torch.empty(c_out, c_in // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.scale_in = nn.Parameter(torch.ones(1, c_in // groups, 1, 1))
        self.scale_out = nn.Parameter(torch.ones(c_out, 1, 1, 1))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def folded(self) -> tuple[Tensor, Tensor | None]:
        bias = None if self.bias is None else self.bias * self.scale_out.view(-1)
        return self.weight * self.scale_in * self.scale_out, bias

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if 1 < self.groups == len(weight) and bias is not None:
            return depthwise(x, weight, bias)
        return F.conv2d(x, weight, bias, padding=self.padding, groups=self.groups)
