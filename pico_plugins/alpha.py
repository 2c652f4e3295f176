"""Lossless coding of one tile's alpha: WebP lossless, through Pillow.

Why WebP: the codec's users have it already (every Pillow wheel contains libwebp), it is maintained and fuzzed by
others, and it is smaller than deflate on the masks that alpha usually is. Wholly opaque tiles cost nothing.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from .errors import DamagedError


def encode_alpha(alpha: np.ndarray) -> bytes:
    """uint8 (H, W) -> bytes; opaque everywhere -> no bytes."""
    if alpha.min() == 255:
        return b""
    out = io.BytesIO()
    Image.fromarray(alpha).convert("RGB").save(out, "WEBP", lossless=True, quality=60, method=4)
    return out.getvalue()


def decode_alpha(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of :func:`encode_alpha`. Raises :class:`DamagedError` unless the bytes hold exactly ``shape`` pixels."""
    if not data:
        return np.full(shape, 255, np.uint8)
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            if image.size != (shape[1], shape[0]) or getattr(image, "n_frames", 1) != 1:
                msg = "damaged tile: alpha has another size"
                raise DamagedError(msg)
            return np.asarray(image.convert("RGB"))[:, :, 1]
    except (OSError, SyntaxError) as error:
        msg = f"damaged tile: alpha cannot be read ({error})"
        raise DamagedError(msg) from error
