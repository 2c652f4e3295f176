"""The arrays that the exported graphs take, the same for every backend that runs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..entropy.phases import to_phases
from ..weights import PERCEPTUAL_FILE


@dataclass
class Symbols:
    """In place of latents, where one graph holds the context model and the decoder: what it takes."""

    z: np.ndarray
    symbols: np.ndarray


def scalar(value: float) -> np.ndarray:
    """float32 (1,)."""
    return np.array([value], np.float32)


def realism_feed(file: str, realism: float) -> dict[str, np.ndarray]:
    """The realism, for the synthesis network that takes it."""
    return {"realism": scalar(realism)} if file == PERCEPTUAL_FILE else {}


def quantizer_feed(z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Inputs of the context graph that quantizes; ``coded``, in phases, is bool."""
    return {
        "hyperlatents": z[None].astype(np.float32),
        "latents": to_phases(y, np.float32)[None],
        "coded": coded.view(np.uint8)[None],
        "level": scalar(level),
    }


def dequantizer_feed(z: np.ndarray, symbols: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Inputs of the context graph that takes symbols, in phases, back to latents."""
    return {
        "hyperlatents": z[None].astype(np.float32),
        "symbols": symbols[None].astype(np.float32),
        "level": scalar(level),
    }
