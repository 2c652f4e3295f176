"""One codec that is measured, with the settings it runs at."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Peer:
    """A codec behind Pillow: ``qualities`` span its useful range, ``options`` are passed to ``Image.save``."""

    name: str
    form: str
    qualities: tuple[int, ...]
    version: str
    options: dict[str, object] = field(default_factory=dict)

    def describe(self) -> str:
        """Encoder, version and settings, as printed beside a curve."""
        settings = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}: {self.version}" + (f", {settings}" if settings else "")

    def encode(self, pixels: np.ndarray, quality: int) -> bytes:
        """uint8 (H, W, 3) -> a whole file."""
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, self.form, quality=quality, **self.options)
        return out.getvalue()

    def decode(self, data: bytes) -> np.ndarray:
        """A whole file -> uint8 (H, W, 3)."""
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
