"""The frozen scale tables: integer frequencies of the symbols at each scale."""

from __future__ import annotations

import numpy as np
import torch

from ..network.rate import symbol_bits
from ..network.scale_decoder import SCALES, scale_of_index

TOTAL = 1 << 24
_OUTSIDE = 7e-6  # of the probability may lie outside a table: an escape. As much as 4.5 sigma leave of a Gaussian
_ESCAPE_LEAST = 1e-6  # what a real image's rare surprises call for


def _integers(chances: np.ndarray) -> np.ndarray:
    """Frequencies >= 1 that sum to 2^24, proportional to ``chances`` as nearly as that allows."""
    frequencies = np.floor(chances / chances.sum() * (TOTAL - len(chances))).astype(np.int64) + 1
    frequencies[np.argmax(frequencies)] += TOTAL - frequencies.sum()
    return frequencies.astype(np.uint32)


def scale_tables() -> tuple[np.ndarray, np.ndarray]:
    """Radii int32 (56,) and all frequencies, uint32, one table after the other; table 0 (not coded) has none."""
    radii, tables = [0], []
    reach = torch.arange(1024, dtype=torch.float64)
    for index in range(1, SCALES):
        positive = np.exp2(-symbol_bits(reach, scale_of_index(torch.tensor(float(index), dtype=torch.float64))).numpy())
        outside = 1 - (2 * np.cumsum(positive) - positive[0])
        radius = max(1, int(np.argmax(outside < _OUTSIDE)))
        inside = np.concatenate([positive[radius:0:-1], positive[: radius + 1]])
        tables.append(_integers(np.append(inside, max(outside[radius], _ESCAPE_LEAST))))
        radii.append(radius)
    return np.array(radii, np.int32), np.concatenate(tables)
