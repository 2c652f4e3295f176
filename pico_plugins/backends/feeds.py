"""The arrays that the exported graphs take, the same for every backend that runs them."""

from __future__ import annotations

import numpy as np

from ..phases import to_phases


def scalar(value: float) -> np.ndarray:
    """float32 (1,)."""
    return np.array([value], np.float32)


def context_feed(
    z: np.ndarray, given: np.ndarray, coded: np.ndarray, level: float, *, encoding: bool
) -> dict[str, np.ndarray]:
    """Inputs of the context graph: ``given`` are latents when ``encoding``, otherwise symbols."""
    return {
        "hyperlatents": z[None].astype(np.float32),
        "given": to_phases(given, np.float32)[None],
        "coded": to_phases(coded, np.bool_)[None],
        "level": scalar(level),
        "encoding": np.array([encoding]),
    }
