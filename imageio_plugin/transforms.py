"""What imageio's Pillow plugin can do to pixels while it reads them, by the same names: ``mode=`` and ``rotate=``."""

from __future__ import annotations

import warnings

import numpy as np
from PIL import ExifTags, Image

from pico_plugins.format.metadata import Metadata


def check_mode(own: str, wanted: str) -> None:
    """Raises ``ValueError`` if Pillow cannot convert from mode ``own`` to ``wanted``."""
    try:
        np.asarray(Image.new(own, (1, 1)).convert(wanted))
    except Exception as error:
        msg = f"mode must be one of Pillow's that {own} can be converted to, not {wanted!r}"
        raise ValueError(msg) from error


def converted(pixels: np.ndarray, mode: str) -> np.ndarray:
    """uint8 (H, W), (H, W, 3) or (H, W, 4) in another of Pillow's modes."""
    image = Image.fromarray(pixels)
    return pixels if image.mode == mode else np.array(image.convert(mode))


def turned(pixels: np.ndarray, metadata: Metadata) -> np.ndarray:
    """``pixels`` as the Exif orientation (or that in XMP) says; as they are, with a warning, if Exif is damaged."""
    carrier = Image.new("L", (1, 1))
    carrier.info = {"exif": metadata.exif or b"", "xmp": metadata.xmp or b""}
    try:
        orientation = carrier.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:
        warnings.warn(f"rotate: the Exif data cannot be read ({error})", stacklevel=3)
        orientation = 1
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
