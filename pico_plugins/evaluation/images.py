"""The images to measure, and their pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
"""What files are taken for images by when a folder is searched."""


def image_files(places: Iterable[Path], suffixes: Collection[str] = SUFFIXES, *, recursive: bool = False) -> list[Path]:
    """``places`` that are files, as they are, and the files in folders that end in one of ``suffixes``, sorted.

    ``recursive``: also those in folders below. A place that does not exist holds none.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = place.rglob("*") if recursive else place.iterdir()
            found += sorted(path for path in inside if path.suffix.lower() in suffixes)
        elif place.exists():
            found.append(place)
    return found


def read_pixels(path: Path) -> np.ndarray:
    """uint8 (H, W, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
