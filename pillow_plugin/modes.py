"""Pillow's modes to the codec's pixels: L, RGB or RGBA, 8 bits."""

from __future__ import annotations

import warnings

from PIL import Image

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def to_codec_mode(image: Image.Image) -> Image.Image:
    """``image`` in mode L, RGB or RGBA.

    Transparency is kept in whatever form it comes; 16-bit gray is scaled to 8 bits with a warning, never clipped.
    Raises ``OSError``, as Pillow's own formats do, for modes whose range has no meaning here (I, F).
    """
    if image.mode in SIXTEEN_BITS:
        import numpy as np

        warnings.warn("PICO stores 8 bits: 16-bit gray is scaled down", stacklevel=4)
        wide = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        msg = f"cannot write mode {image.mode} as PICO: scale it to 0...255 and convert it to L first"
        raise OSError(msg)
    if image.mode == "RGBA":
        return image
    if image.mode == "La":
        image = image.convert("LA")  # Pillow converts premultiplied gray to nothing else
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")
