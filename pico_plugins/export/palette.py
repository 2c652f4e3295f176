"""64 values in place of a weight tensor's own."""

from __future__ import annotations

import numpy as np

BITS = 6
_ROUNDS = 60


def palette(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 64 values that stand for ``values`` with least squared error, and which of them each becomes (flat).

    Lloyd's algorithm on sorted numbers. Evenly spaced values, which coremltools would take, ruin the image: a
    tensor's few large weights claim them all. Half of the start is spaced by quantiles, half evenly.
    """
    numbers = np.sort(values.astype(np.float64).ravel())
    half = 1 << BITS - 1
    quantiles = np.quantile(numbers, (np.arange(half) + 0.5) / half)
    centres = np.sort(np.concatenate([quantiles, np.linspace(numbers[0], numbers[-1], half)]))
    sums = np.concatenate([[0.0], np.cumsum(numbers)])
    for _ in range(_ROUNDS):
        ends = np.concatenate([[0], np.searchsorted(numbers, (centres[1:] + centres[:-1]) / 2), [numbers.size]])
        counts = np.diff(ends)
        centres = np.sort(np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), centres))
    chosen = np.searchsorted((centres[1:] + centres[:-1]) / 2, values.ravel())
    return centres.astype(values.dtype), chosen.astype(np.uint8)
