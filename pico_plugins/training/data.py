"""Training crops: photos decoded once into memory, then cut at random places and scales."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def image_paths(folders: Iterable[Path]) -> list[Path]:
    """All images below ``folders``."""
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)


def load_images(
    folders: list[Path], smallest: int | tuple[int, int], mask_of: Callable[[Path], np.ndarray] | None = None
) -> list[np.ndarray]:
    """All images below ``folders`` as uint8 (H, W, 3), those of fewer than ``smallest`` rows or columns left out.

    ``mask_of`` gives a mask for an image's path, uint8 of any size: it becomes a fourth channel.
    Raises ``ValueError`` when nothing usable is found.
    """
    height, width = smallest if isinstance(smallest, tuple) else (smallest, smallest)

    def read(path: Path) -> np.ndarray | None:
        with Image.open(path) as image:
            if image.height < height or image.width < width:
                return None
            pixels = np.asarray(image.convert("RGB"))
        if mask_of is None:
            return pixels
        mask = Image.fromarray(mask_of(path)).resize(pixels.shape[1::-1], Image.Resampling.NEAREST)
        return np.dstack([pixels, np.asarray(mask)])

    with ThreadPoolExecutor(2) as pool:
        images = [image for image in pool.map(read, image_paths(folders)) if image is not None]
    if not images:
        msg = f"no image of at least {width} x {height} pixels in {', '.join(map(str, folders))}"
        raise ValueError(msg)
    return images


class Crops:
    """Random crops, uint8 (batch, height, width, channels): half from an image reduced by 1-2x, half mirrored.

    Images are drawn with probability proportional to the square root of their area. One crop in a hundred is a flat
    colour instead, black or white half of the time: photos hardly ever show what a scan or a chart is full of.
    """

    def __init__(self, images: list[np.ndarray], crop: int | tuple[int, int], seed: int) -> None:
        """``images``: uint8 (H, W, channels), the first three are colours; ``crop``: side, or (height, width)."""
        self.images, self.crop = images, crop if isinstance(crop, tuple) else (crop, crop)
        self.random = np.random.default_rng(seed)
        area = np.array([image.shape[0] * image.shape[1] for image in images], dtype=float)
        self.chance = np.sqrt(area) / np.sqrt(area).sum()

    def one(self) -> np.ndarray:
        """One crop."""
        if self.random.random() < 0.01:
            colour = self.random.integers(256, size=3) if self.random.random() < 0.5 else self.random.choice([0, 255])
            flat = np.zeros((*self.crop, self.images[0].shape[2]), np.uint8)
            flat[..., :3] = colour
            return flat
        image = self.images[self.random.choice(len(self.images), p=self.chance)]
        reduce = self.random.uniform(1.0, 2.0) if self.random.random() < 0.5 else 1.0
        reduce = min(reduce, image.shape[0] / self.crop[0], image.shape[1] / self.crop[1])
        height, width = (int(side * reduce) for side in self.crop)
        top = self.random.integers(image.shape[0] - height + 1)
        left = self.random.integers(image.shape[1] - width + 1)
        cut = image[top : top + height, left : left + width]
        if (height, width) != self.crop:
            size, colours = self.crop[::-1], np.ascontiguousarray(cut[..., :3])
            layers = [np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))]
            if cut.shape[2] > 3:
                layers.append(np.asarray(Image.fromarray(cut[..., 3]).resize(size, Image.Resampling.BOX)))
            cut = np.dstack(layers)
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
