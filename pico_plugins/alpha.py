"""Lossless coding of one tile's alpha, as the green channel of a lossless image. Wholly opaque tiles cost nothing."""

from __future__ import annotations

import numpy as np

from .lossless import decode_lossless, encode_lossless


def encode_alpha(alpha: np.ndarray) -> bytes:
    """uint8 (H, W) -> bytes; opaque everywhere -> no bytes."""
    return b"" if alpha.min() == 255 else encode_lossless(np.repeat(alpha[:, :, None], 3, axis=2))


def decode_alpha(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of :func:`encode_alpha`. Errors as :func:`pico_plugins.lossless.decode_lossless`."""
    return decode_lossless(data, shape)[:, :, 1] if data else np.full(shape, 255, np.uint8)
