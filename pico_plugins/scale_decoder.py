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

from .quality import LEVEL_STEPS

SHIFT = 6
HYPERLATENT_LIMIT = 127
HIDDEN_LIMIT = 255
_FLOAT32_EXACT, _FLOAT64_EXACT = 1 << 24, 1 << 53


class IntegerLayer:
    """One k x k convolution on integers, (h, w, C) -> (h, w, K), zero padded."""

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
        # (k * k * C, K): row order is that of the gathered neighbourhoods below.
        matrix = np.ascontiguousarray(wide.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0]), self.dtype)
        self.matrix = np.ldexp(matrix, -SHIFT)
        self.bias, self.level_bias = bias.astype(np.int64), level_bias

    def at_level(self, level: int) -> np.ndarray:
        """Bias (K,), plus half for rounding, at ``level`` in 1/32; divided by 2^6."""
        bias = self.bias + (1 << SHIFT - 1)
        if self.level_bias is not None:
            node, part = divmod(level, LEVEL_STEPS)
            after = min(node + 1, len(self.level_bias) - 1)
            table = self.level_bias.astype(np.int64)
            bias = bias + table[node] * (LEVEL_STEPS - part) + table[after] * part
        return np.ldexp(bias.astype(self.dtype), -SHIFT)

    def __call__(self, x: np.ndarray, level: int) -> np.ndarray:
        """Integers in a float type."""
        h, w, _ = x.shape
        x = x.astype(self.dtype, copy=False)
        if self.kernel > 1:
            margin = self.kernel // 2
            padded = np.pad(x, ((margin, margin), (margin, margin), (0, 0)))
            taps = [padded[r : r + h, s : s + w] for r in range(self.kernel) for s in range(self.kernel)]
            x = np.concatenate(taps, axis=-1)
        sums = x.reshape(h * w, -1) @ self.matrix
        sums += self.at_level(level)
        np.clip(sums, 0, self.limit, out=sums)
        return np.floor(sums, out=sums).reshape(h, w, -1)


def _shuffle(x: np.ndarray) -> np.ndarray:
    """(h, w, 4 C) -> (2h, 2w, C); channel 4 c + 2 r + s goes to row offset r, column offset s."""
    h, w, c4 = x.shape
    return x.reshape(h, w, c4 // 4, 2, 2).transpose(0, 3, 1, 4, 2).reshape(2 * h, 2 * w, c4 // 4)


class ScaleDecoder:
    """z (hyperlatents, h, w) in [-127, 127] -> uint8 indices (latents, 4h, 4w); 0 = not coded."""

    LAYERS = ("gather", "up1", "mix", "up2", "head")

    def __init__(self, tensors: Mapping[str, np.ndarray], tables: int) -> None:
        """``tensors``: ``<layer>.weight``, ``<layer>.bias`` and, where there is one, ``<layer>.level_bias``."""
        self.layers = {}
        for name in self.LAYERS:
            self.layers[name] = IntegerLayer(
                tensors[f"{name}.weight"],
                tensors[f"{name}.bias"],
                tensors.get(f"{name}.level_bias"),
                HYPERLATENT_LIMIT if name == "gather" else HIDDEN_LIMIT,
                tables - 1 if name == "head" else HIDDEN_LIMIT,
            )

    def __call__(self, z: np.ndarray, level: int) -> np.ndarray:
        run = self.layers
        x = run["gather"](z.transpose(1, 2, 0), level)
        x = _shuffle(run["up1"](x, level))
        x = _shuffle(run["up2"](run["mix"](x, level), level))
        return np.ascontiguousarray(run["head"](x, level).astype(np.uint8).transpose(2, 0, 1))
