"""Depthwise convolution whose weights are learned quickly.

On CPUs PyTorch computes the gradient of 5 x 5 and 7 x 7 depthwise weights about ten times slower than that of 3 x 3
ones. But those of a large kernel are those of the 3 x 3 kernels it consists of, each with its input shifted.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SIDE = 3


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, padding: int, wanted: list[bool]) -> tuple[Tensor, ...]:
    options = [1, 1], [padding, padding], [1, 1], False, [0, 0], len(weight)
    return torch.ops.aten.convolution_backward(grad, x, weight, None, *options, wanted)


def _weight_gradient(grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    kernel, (height, width) = weight.shape[-1], grad.shape[2:]
    margin = kernel // 2
    padded = F.pad(x, (margin, margin, margin, margin))
    out = torch.empty_like(weight)
    starts = sorted({*range(0, kernel - _SIDE, _SIDE), kernel - _SIDE})
    for row in starts:
        for column in starts:
            part = padded[:, :, row : row + height + _SIDE - 1, column : column + width + _SIDE - 1]
            part = part.contiguous(memory_format=torch.channels_last)
            taps = (..., slice(row, row + _SIDE), slice(column, column + _SIDE))
            out[taps] = _gradients(grad, part, weight[taps].contiguous(), 0, [False, True, False])[1]
    return out


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))
        ctx.save_for_backward(x.to(y.dtype), weight)  # autocast may have reduced the precision
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        reduced = weight.to(x.dtype)
        by_x = _gradients(grad, x, reduced, weight.shape[-1] // 2, [True, False, False])[0]
        by_weight = _weight_gradient(grad, x, reduced).to(weight.dtype)
        return by_x, by_weight, grad.sum((0, 2, 3), dtype=weight.dtype)


def depthwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``F.conv2d`` of x (B, C, H, W) with kernels (C, 1, k, k), k odd, "same" zero padding."""
    if torch.is_grad_enabled() and weight.shape[-1] > _SIDE:
        return _Depthwise.apply(x, weight, bias)
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))
