"""Training crops: photos decoded once into memory, then cut at random places and scales."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def load_images(folders: list[Path], smallest: int) -> list[np.ndarray]:
    """All images below ``folders`` as uint8 (H, W, 3), those with a side shorter than ``smallest`` left out.

    Raises ``ValueError`` when nothing usable is found.
    """
    paths = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)

    def read(path: Path) -> np.ndarray | None:
        with Image.open(path) as image:
            if min(image.size) < smallest:
                return None
            return np.asarray(image.convert("RGB"))

    with ThreadPoolExecutor(2) as pool:
        images = [image for image in pool.map(read, paths) if image is not None]
    if not images:
        msg = f"no image of at least {smallest} x {smallest} pixels in {', '.join(map(str, folders))}"
        raise ValueError(msg)
    return images


class Crops:
    """Random crops, uint8 (batch, crop, crop, 3): half of them from an image reduced by 1-2x, half of them mirrored.

    Images are drawn with probability proportional to the square root of their area. One crop in a hundred is a flat
    colour instead, black or white half of the time: photos hardly ever show what a scan or a chart is full of.
    """

    def __init__(self, images: list[np.ndarray], crop: int, seed: int) -> None:
        self.images, self.crop = images, crop
        self.random = np.random.default_rng(seed)
        area = np.array([image.shape[0] * image.shape[1] for image in images], dtype=float)
        self.chance = np.sqrt(area) / np.sqrt(area).sum()

    def one(self) -> np.ndarray:
        """One crop."""
        if self.random.random() < 0.01:
            colour = self.random.integers(256, size=3) if self.random.random() < 0.5 else self.random.choice([0, 255])
            return np.broadcast_to(np.asarray(colour, np.uint8), (self.crop, self.crop, 3))
        image = self.images[self.random.choice(len(self.images), p=self.chance)]
        height, width = image.shape[:2]
        reduce = self.random.uniform(1.0, 2.0) if self.random.random() < 0.5 else 1.0
        side = min(int(self.crop * reduce), height, width)
        top = self.random.integers(height - side + 1)
        left = self.random.integers(width - side + 1)
        cut = image[top : top + side, left : left + side]
        if side != self.crop:
            cut = np.asarray(Image.fromarray(cut).resize((self.crop, self.crop), Image.Resampling.BICUBIC))
        return cut[:, ::-1] if self.random.random() < 0.5 else cut

    def batch(self, size: int) -> np.ndarray:
        """``size`` crops."""
        return np.stack([self.one() for _ in range(size)])


def stream(crops: Crops, batch: int, ahead: int = 8):
    """Endless batches from ``crops``, made by a background thread up to ``ahead`` batches early."""
    ready: queue.Queue[np.ndarray] = queue.Queue(ahead)

    def fill() -> None:
        while True:
            ready.put(crops.batch(batch))

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield ready.get()
