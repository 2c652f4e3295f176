"""Training crops: photos decoded once into memory, then cut at random places and scales."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..evaluation.images import image_files
from .tensors import to_tensor

_SCAN_EVERY = 5.0  # seconds between two looks for photos that have arrived


def image_paths(folders: Iterable[Path]) -> list[Path]:
    """All images below ``folders``."""
    return sorted(image_files(folders, recursive=True))


class Photos:
    """The images below ``folders`` as uint8 (H, W, 3), those of fewer than ``smallest`` rows or columns left out.

    ``mask_of`` gives a mask for an image's path, uint8 of any size: it becomes a fourth channel. More images may arrive
    while a run goes on: :meth:`watch`.
    """

    def __init__(
        self,
        folders: list[Path],
        smallest: int | tuple[int, int],
        mask_of: Callable[[Path], np.ndarray] | None = None,
    ) -> None:
        """Loads what is there. Raises ``ValueError`` when that is nothing usable."""
        self.folders, self.mask_of = folders, mask_of
        self.smallest = smallest if isinstance(smallest, tuple) else (smallest, smallest)
        self.images: list[np.ndarray] = []
        self._known: set[Path] = set()
        self._load(image_paths(folders))
        if not self.images:
            msg = f"no image of at least {self.smallest[1]} x {self.smallest[0]} pixels in "
            raise ValueError(msg + ", ".join(map(str, folders)))

    def _read(self, path: Path) -> np.ndarray | None:
        with Image.open(path) as image:
            if image.height < self.smallest[0] or image.width < self.smallest[1]:
                return None
            pixels = np.asarray(image.convert("RGB"))
        if self.mask_of is None:
            return pixels
        mask = Image.fromarray(self.mask_of(path)).resize(pixels.shape[1::-1], Image.Resampling.NEAREST)
        return np.dstack([pixels, np.asarray(mask)])

    def _load(self, paths: list[Path]) -> None:
        with ThreadPoolExecutor(2) as pool:
            self.images += [image for image in pool.map(self._read, paths) if image is not None]
        self._known.update(paths)

    def scan(self) -> int:
        """Load images that are new; how many there were. One that is still being written, or has no mask yet, waits."""
        found = 0
        for path in image_paths(self.folders):
            if path not in self._known:
                try:
                    self._load([path])
                    found += 1
                except (OSError, SyntaxError):  # Pillow raises the latter for broken PNG files
                    continue
        return found

    def watch(self) -> None:
        """From now on a thread looks for new images every five seconds."""

        def look() -> None:
            while True:
                time.sleep(_SCAN_EVERY)
                self.scan()

        threading.Thread(target=look, daemon=True).start()


def load_images(
    folders: list[Path], smallest: int | tuple[int, int], mask_of: Callable[[Path], np.ndarray] | None = None
) -> list[np.ndarray]:
    """The images of :class:`Photos`."""
    return Photos(folders, smallest, mask_of).images


class Place(NamedTuple):
    """Where a crop comes from: ``image`` is its number, or -1 for one of a single ``colour``.

    The rectangle is of the photo; it is reduced to the crop's size, then perhaps ``mirrored`` and ``turned`` (rows
    become columns).
    """

    image: int
    top: int = 0
    left: int = 0
    height: int = 0
    width: int = 0
    mirrored: bool = False
    turned: bool = False
    colour: tuple[int, int, int] = (0, 0, 0)


class Crops:
    """Random crops: half from an image reduced by 1-2x, half mirrored, one in eight turned, where it is large enough.

    Images are drawn with probability proportional to the square root of their area. One crop in a hundred is a flat
    colour instead, black or white half of the time: photos hardly ever show what a scan or a chart is full of.
    """

    def __init__(self, images: list[np.ndarray], crop: int | tuple[int, int], seed: int) -> None:
        """``images``: uint8 (H, W, channels), the first three are colours; ``crop``: side, or (height, width).

        ``images`` may grow.
        """
        self.images, self.crop, self.seed = images, crop if isinstance(crop, tuple) else (crop, crop), seed
        self._chance = np.empty(0)

    def places(self, size: int, step: int) -> list[Place]:
        """Those of batch number ``step``: the same whenever they are asked for."""
        if len(self._chance) != len(self.images):
            area = np.array([image.shape[0] * image.shape[1] for image in list(self.images)], dtype=float)
            self._chance = np.sqrt(area) / np.sqrt(area).sum()
        random = np.random.default_rng((self.seed, step))
        return [self._place(random) for _ in range(size)]

    def _place(self, random: np.random.Generator) -> Place:
        if random.random() < 0.01:
            colour = random.integers(256, size=3) if random.random() < 0.5 else np.repeat(random.choice([0, 255]), 3)
            return Place(-1, colour=tuple(colour.tolist()))
        number = int(random.choice(len(self._chance), p=self._chance))
        rows, columns = self.images[number].shape[:2]
        turned = random.random() < 0.125 and rows >= self.crop[1] and columns >= self.crop[0]
        crop = self.crop[::-1] if turned else self.crop
        reduce = random.uniform(1.0, 2.0) if random.random() < 0.5 else 1.0
        reduce = min(reduce, rows / crop[0], columns / crop[1])
        height, width = (int(side * reduce) for side in crop)
        top = int(random.integers(rows - height + 1))
        left = int(random.integers(columns - width + 1))
        return Place(number, top, left, height, width, bool(random.random() < 0.5), bool(turned))

    def _cut(self, place: Place) -> np.ndarray:
        if place.image < 0:
            flat = np.zeros((*self.crop, self.images[0].shape[2]), np.uint8)
            flat[..., :3] = place.colour
            return flat
        image = self.images[place.image]
        cut = image[place.top : place.top + place.height, place.left : place.left + place.width]
        crop = self.crop[::-1] if place.turned else self.crop
        if cut.shape[:2] != crop:
            size, colours = crop[::-1], np.ascontiguousarray(cut[..., :3])
            layers = [np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))]
            if cut.shape[2] > 3:
                layers.append(np.asarray(Image.fromarray(cut[..., 3]).resize(size, Image.Resampling.BOX)))
            cut = np.dstack(layers)
        cut = cut[:, ::-1] if place.mirrored else cut
        return cut.swapaxes(0, 1) if place.turned else cut

    def batch(self, size: int, step: int = 0) -> np.ndarray:
        """Batch number ``step``: ``size`` crops, uint8 (size, height, width, channels)."""
        return np.stack([self._cut(place) for place in self.places(size, step)])

    def stream(self, size: int, step: int = 0, ahead: int = 8) -> Iterable[Tensor]:
        """Endless batches from number ``step`` on, (size, channels, height, width) in [0, 1].

        A thread makes up to ``ahead`` of them early.
        """
        ready: queue.Queue[np.ndarray] = queue.Queue(ahead)

        def fill() -> None:
            number = step
            while True:
                ready.put(self.batch(size, number))
                number += 1

        threading.Thread(target=fill, daemon=True).start()
        while True:
            yield to_tensor(ready.get())


class DeviceCrops(Crops):
    """The same crops, cut on the default device: photos stay in its memory, and nothing waits for it."""

    def __init__(self, images: list[np.ndarray], crop: int | tuple[int, int], seed: int) -> None:
        super().__init__(images, crop, seed)
        self._copies: dict[int, Tensor] = {}

    def _on_device(self, number: int) -> Tensor:
        """Image ``number``, uint8 (H, W, channels)."""
        if number not in self._copies:
            image = np.ascontiguousarray(self.images[number])
            self._copies[number] = torch.from_numpy(image).to(torch.get_default_device())
        return self._copies[number]

    def _cut_tensor(self, place: Place) -> Tensor:
        """(channels, height, width), 0 ... 255."""
        if place.image < 0:
            channels = self.images[0].shape[2]
            planes = [torch.full(self.crop, float(value)) for value in (*place.colour, 0)[:channels]]
            return torch.stack(planes)
        image = self._on_device(place.image)
        cut = (
            image[place.top : place.top + place.height, place.left : place.left + place.width].permute(2, 0, 1).float()
        )
        crop = self.crop[::-1] if place.turned else self.crop
        if cut.shape[1:] != crop:
            colours = F.interpolate(cut[None, :3], crop, mode="bicubic", antialias=True)[0].clamp(0, 255).round()
            mask = F.interpolate(cut[None, 3:], crop, mode="area")[0] if len(cut) > 3 else cut[3:]
            cut = torch.cat([colours, mask]) if len(cut) > 3 else colours
        cut = cut.flip(2) if place.mirrored else cut
        return cut.transpose(1, 2) if place.turned else cut

    def stream(self, size: int, step: int = 0, ahead: int = 0) -> Iterable[Tensor]:
        """As :meth:`Crops.stream`; each batch is cut when it is asked for."""
        while True:
            crops = torch.stack([self._cut_tensor(place) for place in self.places(size, step)]) / 255.0
            yield crops.contiguous(memory_format=torch.channels_last)
            step += 1
