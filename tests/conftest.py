"""Images that several tests need. The codec is always the real one, with the weights that are shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pico_plugins

PHOTO = Path(pico_plugins.__file__).parent / "demo" / "coffee.png"


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """The photo that is shipped, uint8 (400, 600, 3)."""
    with Image.open(PHOTO) as image:
        return np.asarray(image)


@pytest.fixture(scope="session")
def patch(photo: np.ndarray) -> np.ndarray:
    """A small piece of it with an odd size, uint8 (75, 90, 3)."""
    return np.ascontiguousarray(photo[150:225, 200:290])


@pytest.fixture(scope="session")
def patch_file(patch: np.ndarray) -> bytes:
    """``patch`` as a .pico file."""
    return pico_plugins.encode(patch, 60)


@pytest.fixture(scope="session")
def tiled_file(photo: np.ndarray) -> bytes:
    """A piece of the photo, 220 wide and 140 high, as six tiles, with alpha and metadata."""
    piece = photo[100:240, 100:320]
    alpha = np.linspace(0, 255, 220).astype(np.uint8)[None, :, None].repeat(140, 0)
    metadata = pico_plugins.Metadata(exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>", text={"Title": "Caf\u00e9"})
    return pico_plugins.encode(np.dstack([piece, alpha]), 50, metadata=metadata, tile=80)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, over all values."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))
