"""Training-time twin of the integer scale decoder (:mod:`pico_plugins.entropy.scale_decoder` runs it).

Every tensor holds integers, and every sum stays below 2^24, so float32 computes them exactly: what is trained is
what runs. One rule for every layer, in integers: ``clamp((W x + b + 32) >> 6, 0, limit)``, weights in [-127, 127].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entropy.scale_decoder import HIDDEN_LIMIT, SHIFT
from ..quality import LEVEL_STEPS
from .config import ModelConfig

WEIGHT_LIMIT = 127
SCALES = 56
# What has a smaller scale is not coded: it was half of all symbols, and 49 of 43,601 of them were not 0
# (docs/training.md).
SCALE_MIN, SCALE_MAX = 0.144, 60.0
_WEIGHT_GAIN = 0.25  # learned weights are stored 1/0.25 times larger, so that Adam's steps suit their effect
_BIAS_GAIN = 16.0


def scale_of_index(index: Tensor) -> Tensor:
    """Scale (median standard deviation), in symbols, of a table index in [0, 55]: logarithmic from 0.144 to 60."""
    step = torch.log(torch.tensor(SCALE_MAX / SCALE_MIN)) / (SCALES - 1)
    return SCALE_MIN * torch.exp(index * step)


class _RoundClamp(torch.autograd.Function):
    """clamp(floor(x + 0.5), 0, limit). The gradient passes inside the range, and outside where it leads back in."""

    @staticmethod
    def forward(ctx, x: Tensor, limit: int, leak: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limit, ctx.leak = limit, leak
        return torch.floor(x + 0.5).clamp(0, limit)

    @staticmethod
    def backward(ctx, grad: Tensor):
        (x,) = ctx.saved_tensors
        below = torch.where(grad < 0, grad, torch.zeros_like(grad)) * ctx.leak
        above = torch.where(grad > 0, grad, torch.zeros_like(grad))
        grad = torch.where(x < 0, below, torch.where(x > ctx.limit, above, grad))
        return grad, None, None


def round_index(x: Tensor) -> Tensor:
    """Straight-through index into the scale table."""
    return _RoundClamp.apply(x, SCALES - 1, 1.0)


def _straight_through(exact: Tensor, smooth: Tensor) -> Tensor:
    return smooth + (exact - smooth).detach()


class IntegerConv(nn.Module):
    """k x k convolution on integers with 8-bit weights in 64ths, and a bias that may depend on the level."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, limit: int = HIDDEN_LIMIT, levels: int = 0) -> None:
        super().__init__()
        self.padding, self.limit = kernel // 2, limit
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.level_bias = nn.Parameter(torch.zeros(levels, c_out)) if levels else None
        nn.init.kaiming_normal_(self.weight)
        with torch.no_grad():
            self.weight /= _WEIGHT_GAIN

    def integers(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Weights in 64ths, bias in 64ths, and level bias in 64ths of 1/32 (so that interpolation stays exact)."""
        weight = torch.round(self.weight * _WEIGHT_GAIN * 2**SHIFT).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        bias = torch.round(self.bias * _BIAS_GAIN * 2**SHIFT)
        if self.level_bias is None:
            return weight, bias, None
        return weight, bias, torch.round(self.level_bias * _BIAS_GAIN * 2**SHIFT / LEVEL_STEPS)

    def forward(self, x: Tensor, weights: Tensor | None = None) -> Tensor:
        """``x`` (B, C, H, W) integers; ``weights`` level interpolation weights, multiples of 1/32."""
        w_int, b_int, l_int = self.integers()
        weight = _straight_through(w_int, self.weight * _WEIGHT_GAIN * 2**SHIFT)
        bias = _straight_through(b_int, self.bias * _BIAS_GAIN * 2**SHIFT)
        acc = F.conv2d(x, weight, bias, padding=self.padding)
        if self.level_bias is not None:
            table = _straight_through(l_int, self.level_bias * _BIAS_GAIN * 2**SHIFT / LEVEL_STEPS)
            acc = acc + ((weights * LEVEL_STEPS) @ table)[:, :, None, None]
        leak = 1.0 if self.limit < HIDDEN_LIMIT else 0.0  # hidden layers: a ReLU; the index: never stuck
        return _RoundClamp.apply(acc / 2**SHIFT, self.limit, leak)


class ScaleDecoder(nn.Module):
    """Integer z (B, hyperlatents, H/64, W/64) -> index into the scale table (B, latents, H/16, W/16), 0 = not coded."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        a, b, c = config.scale_channels
        self.gather = IntegerConv(config.hyperlatents, a, kernel=3, levels=config.levels)
        self.up1 = IntegerConv(a, 4 * b)
        self.mix = IntegerConv(b, b, kernel=3)
        self.up2 = IntegerConv(b, 4 * c)
        self.head = IntegerConv(c, config.latents, limit=SCALES - 1, levels=config.levels)
        with torch.no_grad():
            self.gather.weight *= 4.0  # z is a few units wide, hidden activations may use their whole range
            self.head.weight *= 0.1
            self.head.bias.fill_(20.0 / _BIAS_GAIN)

    def forward(self, z: Tensor, weights: Tensor) -> Tensor:
        x = self.gather(z, weights)
        x = F.pixel_shuffle(self.up1(x), 2)
        x = F.pixel_shuffle(self.up2(self.mix(x)), 2)
        return self.head(x, weights)
