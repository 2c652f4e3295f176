"""The frozen scale tables: integer frequencies of a Gaussian at each of the 64 scales."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..network.scale_decoder import SCALES, scale_of_index

TOTAL = 1 << 24
_REACH = 4.5  # a table covers this many standard deviations; what lies outside is an escape


def _cumulative(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def _integers(chances: np.ndarray) -> np.ndarray:
    """Frequencies >= 1 that sum to 2^24, proportional to ``chances`` as nearly as that allows."""
    frequencies = np.floor(chances / chances.sum() * (TOTAL - len(chances))).astype(np.int64) + 1
    frequencies[np.argmax(frequencies)] += TOTAL - frequencies.sum()
    return frequencies.astype(np.uint32)


def gaussian_tables() -> tuple[np.ndarray, np.ndarray]:
    """Radii int32 (64,) and all frequencies, uint32, one table after the other; table 0 (not coded) has none."""
    radii, tables = [0], []
    for index in range(1, SCALES):
        sigma = float(scale_of_index(torch.tensor(float(index))))
        radius = math.ceil(_REACH * sigma)
        edges = np.array([_cumulative((s - 0.5) / sigma) for s in range(-radius, radius + 2)])
        # The two tails together, but never less than a real image's rare surprises call for.
        escape = max(2 * edges[0], 1e-6)
        tables.append(_integers(np.append(np.diff(edges), escape)))
        radii.append(radius)
    return np.array(radii, np.int32), np.concatenate(tables)
