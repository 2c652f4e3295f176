"""File > Open Sample: small photos in the public domain that go through the codec as they are opened.

None is stored as a .pico file, which would need the very model it was written with.
"""

from __future__ import annotations

from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image

from .settings import default_quality

LayerData = tuple[np.ndarray, dict, str]


def coffee() -> list[LayerData]:
    """The photo of ``pico demo``, CC0."""
    with Image.open(BytesIO(files("pico_plugins").joinpath("demo/coffee.png").read_bytes())) as image:
        return _packed("coffee", np.asarray(image.convert("RGB")))


def astronaut() -> list[LayerData]:
    """Eileen Collins, by NASA, in the public domain; from scikit-image, which comes with napari."""
    from skimage.data import astronaut

    return _packed("astronaut", astronaut())


def camera() -> list[LayerData]:
    """A gray photo, CC0, by Lav Varshney; from scikit-image."""
    from skimage.data import camera

    return _packed("camera", camera())


def _packed(name: str, pixels: np.ndarray) -> list[LayerData]:
    """``pixels`` encoded at the quality of the plugin's settings, and decoded."""
    from pico_plugins import decode, encode, read_header

    data = encode(pixels, default_quality())
    return [(decode(data), {"name": name, "rgb": pixels.ndim == 3, "metadata": read_header(data).info()}, "image")]
