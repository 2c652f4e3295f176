"""File > Open Sample: a photo that went through the codec."""

from __future__ import annotations

from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image

from .settings import default_quality


def coffee() -> list[tuple[np.ndarray, dict, str]]:
    """The photo of ``pico demo``, encoded and decoded at the quality of the plugin's settings."""
    from pico_plugins import decode, encode, read_header

    with Image.open(BytesIO(files("pico_plugins").joinpath("demo/coffee.png").read_bytes())) as image:
        data = encode(np.asarray(image.convert("RGB")), default_quality())
    return [(decode(data), {"name": "coffee", "rgb": True, "metadata": read_header(data).info()}, "image")]
