"""The integer scale decoder: hyperlatents -> index of every latent into the scale tables, exact on every machine.

Every layer computes ``clamp((W x + b + 32) >> 6, 0, limit)`` on integers: x in [0, 255] (hyperlatents: [-127, 127]), W
in [-127, 127]. The sums run through float matrix products, because those are fast everywhere; that is exact as
long as every partial sum is an integer that the float type represents, whatever the order of additions, the number of
threads or the use of fused operations. The bound is proven for the actual weights when they are loaded. W and b are
stored divided by 2^6, which changes exponents only: rounding down is then all that is left of the shift.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..quality import LEVEL_STEPS, trained_levels
from .phases import ORDER

SHIFT = 6
HYPERLATENT_LIMIT = 127
HIDDEN_LIMIT = 255
_FLOAT32_EXACT, _FLOAT64_EXACT = 1 << 24, 1 << 53


class IntegerLayer:
    """One k x k convolution on integers, (C, h, w) -> uint8 (K, h, w), zero padded; or 1 x 1 on (n, C, pixels)."""

    def __init__(
        self, weight: np.ndarray, bias: np.ndarray, level_bias: np.ndarray | None, input_limit: int, limit: int
    ) -> None:
        """``weight`` int8 (K, C, k, k), ``bias`` int32 (K,), ``level_bias`` int32 (levels, K) in 1/32, or None.

        Raises ``ValueError`` if sums could leave the range in which float64 is exact.
        """
        self.kernel, self.limit = weight.shape[-1], limit
        wide = weight.astype(np.int64)
        base = np.abs(bias.astype(np.int64)) + (1 << SHIFT - 1)
        if level_bias is not None:
            base = base + LEVEL_STEPS * np.abs(level_bias.astype(np.int64)).max(0)
        bound = int((np.abs(wide).sum((1, 2, 3)) * input_limit + base).max())
        if bound >= _FLOAT64_EXACT or bound >= 1 << 31:
            msg = f"integer scale decoder: sums may reach {bound}, which is not exact"
            raise ValueError(msg)
        self.dtype = np.float32 if bound < _FLOAT32_EXACT else np.float64
        # (K, k * k * C): column order is that of the gathered neighbourhoods below.
        matrix = np.ascontiguousarray(wide.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1), self.dtype)
        self.matrix = np.ldexp(matrix, -SHIFT)
        self.bias, self.level_bias = bias.astype(np.int64), level_bias

    def at_level(self, level: int) -> np.ndarray:
        """Bias (K, 1), plus half for rounding, at ``level`` in 1/32; divided by 2^6."""
        bias = self.bias + (1 << SHIFT - 1)
        if self.level_bias is not None:
            node, after, part = trained_levels(level, len(self.level_bias))
            table = self.level_bias.astype(np.int64)
            bias = bias + table[node] * (LEVEL_STEPS - part) + table[after] * part
        return np.ldexp(bias.astype(self.dtype), -SHIFT)[:, None]

    def multiply(self, x: np.ndarray, level: int) -> np.ndarray:
        """(..., k * k * C, pixels) -> uint8 (..., K, pixels)."""
        sums = self.matrix @ x.astype(self.dtype, copy=False)
        sums += self.at_level(level)
        np.clip(sums, 0, self.limit, out=sums)
        return sums.astype(np.uint8)  # rounds down what is not negative

    def __call__(self, x: np.ndarray, level: int) -> np.ndarray:
        """The convolution: (C, h, w) -> uint8 (K, h, w)."""
        channels, h, w = x.shape
        if self.kernel > 1:
            margin = self.kernel // 2
            padded = np.zeros((channels, h + 2 * margin, w + 2 * margin), self.dtype)
            padded[:, margin : margin + h, margin : margin + w] = x
            x = np.concatenate(
                [padded[:, r : r + h, s : s + w] for r in range(self.kernel) for s in range(self.kernel)]
            )
        return self.multiply(x.reshape(-1, h * w), level).reshape(-1, h, w)


def _shuffle(x: np.ndarray) -> np.ndarray:
    """(4 C, h, w) -> (C, 2h, 2w); channel 4 c + 2 r + s goes to row offset r, column offset s."""
    c4, h, w = x.shape
    return x.reshape(c4 // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c4 // 4, 2 * h, 2 * w)


def _in_phases(name: str, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of a layer; of ``up2`` with its channels in the order of the phases that they are shuffled to."""
    if name != "up2":
        return weight, bias
    channels = np.concatenate([np.arange(2 * row + column, len(bias), 4) for row, column in ORDER])
    return weight[channels], bias[channels]


class ScaleDecoder:
    """z (hyperlatents, h, w) in [-127, 127] -> uint8 indices (4 latents, 2h, 2w), in phases; 0 = not coded."""

    LAYERS = ("gather", "up1", "mix", "up2", "head")

    def __init__(self, tensors: Mapping[str, np.ndarray], tables: int) -> None:
        """``tensors``: ``<layer>.weight``, ``<layer>.bias`` and, where there is one, ``<layer>.level_bias``."""
        self.layers = {}
        for name in self.LAYERS:
            self.layers[name] = IntegerLayer(
                *_in_phases(name, tensors[f"{name}.weight"], tensors[f"{name}.bias"]),
                tensors.get(f"{name}.level_bias"),
                HYPERLATENT_LIMIT if name == "gather" else HIDDEN_LIMIT,
                tables - 1 if name == "head" else HIDDEN_LIMIT,
            )

    def __call__(self, z: np.ndarray, level: int) -> np.ndarray:
        run = self.layers
        x = _shuffle(run["up1"](run["gather"](z, level), level))
        x = run["up2"](run["mix"](x, level), level)
        phases = x.reshape(len(ORDER), -1, x.shape[1] * x.shape[2])
        return run["head"].multiply(phases, level).reshape(-1, *x.shape[1:])
