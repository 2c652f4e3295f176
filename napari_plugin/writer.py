"""Saving an image layer as a .pico file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pico_plugins.encoder import encode_file
from pico_plugins.metadata import Metadata

from .settings import default_fidelity, default_quality, default_realism


def _pixels(data: object, rgb: bool) -> np.ndarray:
    """The layer's pixels as the codec takes them. Raises ``TypeError`` that says what to do about any other.

    (No ``ValueError``: napari takes that to mean that nobody can write the layer, and does not show the message.)
    """
    dtype, shape = np.dtype(data.dtype), tuple(data.shape)
    if dtype != np.uint8:
        msg = (
            f"PICO stores 8 bits a channel, this layer is {dtype}. Convert it first, in the console for example with "
            "skimage.util.img_as_ubyte(skimage.exposure.rescale_intensity(layer.data)), or save it losslessly as TIFF"
        )
        raise TypeError(msg)
    if len(shape) != (3 if rgb else 2):
        msg = f"PICO stores one 2-D image; this layer is {' x '.join(map(str, shape))}: save a single slice of it"
        raise TypeError(msg)
    return data


def kept_metadata(found: dict) -> Metadata:
    """What of a layer's metadata a .pico file can hold, if it came from one or from a photo."""
    names = ("exif", "icc_profile", "xmp", "cicp")
    return Metadata(**{name: found[name] for name in names if isinstance(found.get(name), bytes)})


def write_image(path: str, data: object, meta: dict) -> list[str]:
    """Write one image layer, uint8 gray, RGB or RGBA, as the settings say. Returns the paths.

    Of a multiscale layer its full resolution is written. Exif, ICC profile and XMP of a .pico or photo that was opened
    are kept. Raises ``TypeError`` for other data, ``OSError`` when writing fails; an existing file then stays.
    """
    pixels = _pixels(data[0] if meta.get("multiscale") else data, bool(meta.get("rgb")))
    path = path if path.lower().endswith(".pico") else f"{path}.pico"
    metadata = kept_metadata(meta.get("metadata", {}))
    options = dict(realism=default_realism(), fidelity=default_fidelity(), metadata=metadata)
    encode_file(Path(path), pixels, default_quality(), **options)
    return [path]
