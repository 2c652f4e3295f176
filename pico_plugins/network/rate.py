"""Bits of the symbols, as training counts them.

The interval probability of a scale's distribution costs, with its gradients, as much as a large convolution. So value
and gradients are computed once, in float64, for each table index and a grid of magnitudes, and looked up.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from .scale_decoder import SCALES, scale_of_index

SPREAD = 0.4
"""How uncertain a scale is: the standard deviation of its logarithm.

The scale decoder knows z alone, so the symbols that share an index do not share a scale. With Gaussian tables they were
0 up to a quarter more often than the tables said, at all larger indices alike; that is what 0.4 gives.
"""

_NODES = ((-math.sqrt(3), 1 / 6), (0.0, 2 / 3), (math.sqrt(3), 1 / 6))  # Gauss-Hermite quadrature with three points
_REACH = 512  # magnitudes beyond it are charged as if they were there; the widest scale is 60
_FINE = 16  # grid points between two integers


def symbol_bits(symbols: Tensor, scale: Tensor) -> Tensor:
    """-log2 of the probability that a value of this ``scale`` falls within half a step of ``symbols``.

    The value is Gaussian with a standard deviation that is log-normal about ``scale``, in three points. Exact far into
    the tails, where it still has a gradient. Beyond 40 bits, about an escape's cost, it grows slowly.
    """
    magnitude, logarithms = symbols.abs(), []
    for node, weight in _NODES:
        sigma = scale * math.exp(SPREAD * node)
        upper = torch.special.log_ndtr((0.5 - magnitude) / sigma)
        lower = torch.special.log_ndtr((-0.5 - magnitude) / sigma)
        logarithms.append(upper + torch.log1p(-torch.exp(lower - upper).clamp_max(1 - 1e-6)) + math.log(weight))
    bits = -torch.logsumexp(torch.stack(logarithms), 0) / math.log(2)
    return torch.where(bits < 40, bits, 40 + torch.log1p((bits - 40).clamp_min(0)))


@cache
def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """Bits and their derivative by the index, at (index, integer); derivative by the magnitude, at (index, grid)."""
    with torch.enable_grad():
        index = torch.arange(SCALES, dtype=torch.float64).view(-1, 1).expand(-1, _REACH).clone().requires_grad_()
        bits = symbol_bits(torch.arange(_REACH, dtype=torch.float64), scale_of_index(index))
        (by_index,) = torch.autograd.grad(bits.sum(), index)
        grid = (torch.arange(_REACH * _FINE, dtype=torch.float64) / _FINE).expand(SCALES, -1).clone().requires_grad_()
        fine = symbol_bits(grid, scale_of_index(torch.arange(SCALES, dtype=torch.float64).view(-1, 1)))
        (by_magnitude,) = torch.autograd.grad(fine.sum(), grid)
    bits = bits.detach()
    bits[0] = 0  # nothing is coded there; only the derivatives are as if it were
    return tuple(table.detach().float().flatten() for table in (bits, by_index, by_magnitude))


class _TrainedBits(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, index: Tensor) -> Tensor:
        bits, by_index, by_magnitude = _tables()
        row = index.expand_as(values)
        noisy = values + torch.rand_like(values) - 0.5
        # A step whose values are not numbers is skipped by its gradient; until then it must not index outside.
        at = (values.abs().round().clamp_max(_REACH - 1) + row * _REACH).nan_to_num().long()
        near = (noisy.abs() * _FINE).round().clamp_max(_REACH * _FINE - 1)
        near = (near + row * (_REACH * _FINE)).nan_to_num().long()
        ctx.save_for_backward(by_magnitude[near] * noisy.sign(), by_index[at])
        ctx.index_shape = index.shape
        return bits[at]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        by_value, by_index = ctx.saved_tensors
        return grad * by_value, (grad * by_index).sum_to_size(ctx.index_shape)


def trained_bits(values: Tensor, index: Tensor) -> Tensor:
    """Bits of the rounded ``values`` coded with the scale table's ``index`` (integers 0 ... 55, broadcast to them).

    The value, and the gradient to ``index``, are those of the symbols that will really be coded. The gradient to
    ``values`` is that of the usual uniform noise in place of rounding. (Noise for everything would charge a symbol that
    is always 0 some 0.2 bits even at the smallest scale, instead of 0.03.)

    Index 0 costs nothing, whatever the value. Its gradients are as if it were coded: where values are often not 0 their
    scale grows, until they are.
    """
    return _TrainedBits.apply(values, index)
