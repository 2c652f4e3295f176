"""Lossless coding of a tile: WebP lossless, through Pillow. For alpha, and where that is smaller or has to be exact.

Why WebP: the codec's users have it already (every Pillow wheel contains libwebp), it is maintained and fuzzed by
others, it is smaller than deflate on the masks that alpha usually is, and on text half as large as PNG.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, WebPImagePlugin
from PIL.WebPImagePlugin import WebPImageFile

from ..errors import DamagedError, LimitError, UnsupportedError


def _check_webp() -> None:
    if not WebPImagePlugin.SUPPORTED:
        msg = "this Pillow was built without WebP, which alpha and tiles without loss need: install one of its wheels"
        raise UnsupportedError(msg)


def encode_lossless(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) -> bytes. Raises :class:`UnsupportedError` if Pillow lacks WebP."""
    _check_webp()
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "WEBP", lossless=True, quality=60, method=4)
    return out.getvalue()


def _lossless_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in the header of a simple lossless WebP file, or None if it is anything else.

    RIFF container: "RIFF", size, "WEBP", "VP8L", size, then a signature byte and 14 + 14 bits of size less 1.
    """
    if len(data) < 25 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        return None
    bits = int.from_bytes(data[21:25], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def decode_lossless(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of :func:`encode_lossless`. Raises :class:`DamagedError` unless the bytes hold exactly ``shape`` (H, W)
    pixels, :class:`LimitError` if Pillow is set to refuse even that many, :class:`UnsupportedError` if it lacks WebP.
    """
    _check_webp()
    if _lossless_size(data) != (shape[1], shape[0]):
        msg = f"damaged tile: no lossless WebP of {shape[1]} x {shape[0]} pixels"
        raise DamagedError(msg)
    try:
        with WebPImageFile(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except Image.DecompressionBombError as error:  # the process allows less than one tile
        raise LimitError(str(error)) from error
    except (OSError, SyntaxError) as error:
        msg = f"damaged tile: lossless WebP cannot be read ({error})"
        raise DamagedError(msg) from error


def encode_alpha(alpha: np.ndarray) -> bytes:
    """uint8 (H, W) -> bytes: the green channel of a lossless image. Opaque everywhere -> no bytes."""
    return b"" if alpha.min() == 255 else encode_lossless(np.repeat(alpha[:, :, None], 3, axis=2))


def decode_alpha(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of :func:`encode_alpha`. Errors as :func:`decode_lossless`."""
    return decode_lossless(data, shape)[:, :, 1] if data else np.full(shape, 255, np.uint8)
