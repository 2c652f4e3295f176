"""Distances between an image and its reconstruction, uint8 (H, W, 3) each.

Higher is better for all of them, so that BD-rates can be taken: distances are given in dB, as -10 log10(distance).
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..fidelity import psnr

if TYPE_CHECKING:
    from torch import Tensor

    from .dists import Dists
    from .lpips import Lpips
    from .wasserstein import Wasserstein


def _db(distance: float) -> float:
    return float(-10 * math.log10(max(distance, 1e-10)))


def ms_ssim(original: np.ndarray, shown: np.ndarray) -> float:
    """Multi-scale structural similarity on RGB, as -10 log10(1 - MS-SSIM). Sides of at least 161 pixels."""
    import torch
    from pytorch_msssim import ms_ssim as similarity

    a, b = (torch.from_numpy(np.array(x)).permute(2, 0, 1)[None].float() for x in (original, shown))
    return _db(1 - similarity(a, b, data_range=255).item())


def _unit(pixels: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255


@lru_cache(maxsize=4)
def _features_of(network: Lpips | Dists | Wasserstein, contents: bytes, shape: tuple[int, ...]) -> list[Tensor]:
    """Of an original, remembered for each network: it is compared with what many files show."""
    return network.features(_unit(np.frombuffer(contents, np.uint8).reshape(shape)))


def _distance(network: Lpips | Dists | Wasserstein, original: np.ndarray, shown: np.ndarray) -> float:
    import torch

    with torch.no_grad():
        seen = _features_of(network, original.tobytes(), original.shape)
        return _db(network.distance(seen, network.features(_unit(shown))).item())


def lpips_alex(original: np.ndarray, shown: np.ndarray) -> float:
    """LPIPS 0.1 with AlexNet, as -10 log10."""
    from .lpips import lpips_network

    return _distance(lpips_network("alex"), original, shown)


def lpips_vgg(original: np.ndarray, shown: np.ndarray) -> float:
    """LPIPS 0.1 with VGG16, as -10 log10."""
    from .lpips import lpips_network

    return _distance(lpips_network("vgg"), original, shown)


def dists(original: np.ndarray, shown: np.ndarray) -> float:
    """DISTS, as -10 log10."""
    from .dists import dists_network

    return _distance(dists_network(), original, shown)


def wasserstein(original: np.ndarray, shown: np.ndarray) -> float:
    """Wasserstein distortion of VGG16's features, as -10 log10. Sides of at least 64 pixels."""
    from .wasserstein import wasserstein_network

    return _distance(wasserstein_network(), original, shown)


def ssimulacra2(original: np.ndarray, shown: np.ndarray) -> float:
    """SSIMULACRA2 by the PyPI port: up to 100, and some points off the reference program at low rates."""
    from ssimulacra2 import compute_ssimulacra2

    with _as_files(original, shown) as (a, b):
        return float(compute_ssimulacra2(str(a), str(b)))


def butteraugli(original: np.ndarray, shown: np.ndarray) -> float:
    """Butteraugli's 3-norm, as -10 log10. Needs libjxl's `butteraugli_main` (Debian: libjxl-devtools)."""
    with _as_files(original, shown) as (a, b):
        out = subprocess.run(["butteraugli_main", a, b], capture_output=True, text=True, check=True).stdout
    return _db(float(re.search(r"3-norm: ([\d.eE+-]+)", out)[1]))


class _as_files:
    """Both images as PNG files, for as long as a metric reads them."""

    def __init__(self, *images: np.ndarray) -> None:
        self.images, self.folder = images, tempfile.TemporaryDirectory()

    def __enter__(self) -> list[Path]:
        paths = [Path(self.folder.name) / f"{i}.png" for i in range(len(self.images))]
        for image, path in zip(self.images, paths, strict=True):
            Image.fromarray(image).save(path, compress_level=1)
        return paths

    def __exit__(self, *error: object) -> None:
        self.folder.cleanup()


@dataclass(frozen=True)
class Metric:
    """A way to compare an image with its original, and what to know about it."""

    compare: Callable[[np.ndarray, np.ndarray], float]
    unit: str
    """As printed beside an axis."""
    usual: bool = False
    """Whether it is measured unless others are asked for: those are slow, or need more installed."""
    smallest: int = 1
    """Length of the shortest side that it can measure, in pixels."""

    def __call__(self, original: np.ndarray, shown: np.ndarray) -> float:
        """At most 100, for equal images too: means stay finite."""
        return min(self.compare(original, shown), 100.0)


METRICS = {
    "psnr": Metric(psnr, "PSNR (dB)", usual=True),
    "ms-ssim": Metric(ms_ssim, "MS-SSIM (dB)", usual=True, smallest=161),
    "ssimulacra2": Metric(ssimulacra2, "SSIMULACRA2 (PyPI port)"),
    "butteraugli": Metric(butteraugli, "-10 log10 butteraugli 3-norm"),
    "lpips-alex": Metric(lpips_alex, "-10 log10 LPIPS (AlexNet)"),
    "lpips-vgg": Metric(lpips_vgg, "-10 log10 LPIPS (VGG16)"),
    "dists": Metric(dists, "-10 log10 DISTS"),
    "wd": Metric(wasserstein, "-10 log10 Wasserstein distortion (VGG16)", smallest=64),
}
"""All of them, by the names that commands know: a new one is a line here."""
