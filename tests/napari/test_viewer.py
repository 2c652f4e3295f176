"""In a real napari window, on a screen or under Xvfb."""

import os
import shutil

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
if not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
    pytest.skip("neither a screen nor Xvfb", allow_module_level=True)

import pico_plugins
from napari_plugin import reader


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def test_open_save_and_open_again(viewer, tmp_path, photo):
    path, copy = tmp_path / "photo.pico", tmp_path / "copy.pico"
    pico_plugins.encode_file(path, photo, 60)
    (layer,) = viewer.open(str(path), plugin=None)
    assert layer.rgb
    assert np.array_equal(layer.data, pico_plugins.decode(path))
    assert layer.metadata["pico"]["quality"] == 60
    assert layer.save(str(copy)) == [str(copy)]
    assert pico_plugins.read_header(copy).shape == photo.shape


def test_a_pyramid_decodes_what_is_in_view(viewer, qtbot, tmp_path, photo, monkeypatch):
    monkeypatch.setattr(reader, "LAZY_FROM", 1_000_000)
    path = tmp_path / "big.pico"
    pico_plugins.encode_file(path, np.tile(photo, (6, 6, 1)), 30, tile=504)
    (layer,) = viewer.open(str(path), plugin=None)
    assert layer.multiscale
    image = layer.data[0].image
    qtbot.waitUntil(lambda: image._thread is None, timeout=60_000)
    colour = pico_plugins.decode(path, scale=1 / 8).mean((0, 1))
    # What is on the screen is filled in, not gray for ever.
    qtbot.waitUntil(lambda: np.abs(layer._slice.image.raw.mean((0, 1)) - colour).max() < 5, timeout=20_000)
    full_scale = [key for key in image._cache if key[1] == 1]
    assert not full_scale
    viewer.camera.center = (0, 1200, 1800)
    viewer.camera.zoom = 2
    qtbot.waitUntil(lambda: layer.data_level == 0, timeout=20_000)
    decoded = [key for key in image._cache if key[1] == 1]
    assert 0 < len(decoded) < len(image.header.grid) / 2


def test_sample(viewer):
    (layer,) = viewer.open_sample("pico-plugins", "coffee")
    assert layer.data.shape == (400, 600, 3)
