"""MS-SSIM (Wang, Simoncelli & Bovik 2003) with SciPy, which comes with napari: torch would be a lot to ask for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import correlate1d

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_WINDOW = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2)).astype(np.float32)
_WINDOW /= _WINDOW.sum()

MIN_SIDE = 176
"""Smaller images have no five scales."""


def _blur(image: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        image = correlate1d(image, _WINDOW, axis)
    return image[5:-5, 5:-5]  # where the window fits


def _halve(image: np.ndarray) -> np.ndarray:
    image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4


def ms_ssim(a: np.ndarray, b: np.ndarray, report: Callable[[int, int], None] = lambda done, total: None) -> float:
    """Of two uint8 images, gray or the mean over their colours, in [0, 1]. Sides of at least 176 pixels.

    ``report(done, total)`` is called often, in pixels that have been blurred; by raising it ends the work.
    """
    channels = [(a, b)] if a.ndim == 2 else [(a[..., i], b[..., i]) for i in range(3)]
    size = a.shape[0] * a.shape[1]
    total = len(channels) * 5 * sum(size >> 2 * scale for scale in range(len(_WEIGHTS)))
    done = 0

    def blur(image: np.ndarray) -> np.ndarray:
        nonlocal done
        report(done, total)
        done += image.size
        return _blur(image)

    return float(np.mean([_of_channel(x.astype(np.float32), y.astype(np.float32), blur) for x, y in channels]))


def _of_channel(a: np.ndarray, b: np.ndarray, blur: Callable[[np.ndarray], np.ndarray]) -> float:
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        mean_a, mean_b = blur(a), blur(b)
        variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
        similarity = (2 * (blur(a * b) - mean_a * mean_b) + _C2) / (variance_a + variance_b + _C2)
        if scale == len(_WEIGHTS) - 1:
            similarity = similarity * (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
        product *= max(float(similarity.mean()), 0.0) ** weight
        a, b = _halve(a), _halve(b)
    return product
