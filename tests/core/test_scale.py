"""Reduced-scale decoding: the image as its boxes' means, for less work."""

import numpy as np
import pytest

import pico_plugins
from pico_plugins import backends
from pico_plugins.tiles.averaging import box_average
from tests.conftest import psnr

SCALES = {1 / 2: 2, 1 / 4: 4, 1 / 8: 8}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("tile", [None, 256, 100])  # 100 is no multiple of 8: the rest is averaged
def test_reduced_image_is_the_image_averaged(photo, scale, tile):
    data = pico_plugins.encode(photo, 60, tile=tile)
    small = pico_plugins.decode(data, scale=scale)
    expected = box_average(pico_plugins.decode(data), SCALES[scale])
    assert small.shape == expected.shape == (*(-(-side // SCALES[scale]) for side in photo.shape[:2]), 3)
    assert psnr(expected, small) > 36


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (65, 130), (200, 333)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_size_and_channels(photo, shape, channels):
    pixels = np.dstack([photo, photo[:, ::-1, :1]])[: shape[0], : shape[1]]
    pixels = pixels[..., 0] if channels == 1 else pixels[..., :channels]
    data = pico_plugins.encode(pixels, 90, tile=64)
    for scale, by in SCALES.items():
        small = pico_plugins.decode(data, scale=scale)
        assert small.shape == (-(-shape[0] // by), -(-shape[1] // by), *pixels.shape[2:])
        if channels == 4:  # alpha is lossless; only pixels that a seam cuts know just a part of their box
            expected = box_average(pixels[..., 3], by)
            assert np.median(np.abs(expected.astype(int) - small[..., 3])) == 0


def test_alpha_is_averaged_over_its_boxes(photo):
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[:, 100:] = 255
    data = pico_plugins.encode(np.dstack([photo, alpha]), 50)
    small = pico_plugins.decode(data, scale=1 / 8)
    assert np.array_equal(small[..., 3], box_average(alpha, 8))


@pytest.mark.parametrize("scale", SCALES)
def test_region_is_a_part_of_the_reduced_whole(photo, scale):
    by = SCALES[scale]
    data = pico_plugins.encode(photo, 60, tile=120)
    whole = pico_plugins.decode(data, scale=scale)
    height, width = photo.shape[:2]
    for box in ((0, 0, 8, 8), (112, 120, 136, 128), (128, 64, 304, 200), (16, 16, width, height)):
        left, top, right, bottom = box
        part = pico_plugins.decode_region(data, box, scale=scale)
        assert np.array_equal(part, whole[top // by : -(-bottom // by), left // by : -(-right // by)])


def test_a_region_between_the_reduced_pixels_is_refused(tiled_file):
    with pytest.raises(ValueError, match="multiples of 4"):
        pico_plugins.decode_region(tiled_file, (2, 0, 40, 40), scale=1 / 4)
    with pytest.raises(ValueError, match="multiples of 4"):
        pico_plugins.decode_region(tiled_file, (0, 0, 40, 42), scale=1 / 4)


@pytest.mark.parametrize("scale", [0, 0.3, 2, -1, "1/2", None])
def test_other_scales_are_refused(tiled_file, scale):
    with pytest.raises(ValueError, match="scale must be"):
        pico_plugins.decode(tiled_file, scale=scale)


def test_damaged_tiles_are_gray_in_the_reduced_image_too(tiled_file):
    broken = bytearray(tiled_file)
    broken[-10] ^= 1
    damaged: list[int] = []
    small = pico_plugins.decode(bytes(broken), scale=1 / 4, damaged=damaged)
    assert damaged == [5]
    assert (small[-1, -1] == 128).all()
    assert np.array_equal(small[0], pico_plugins.decode(tiled_file, scale=1 / 4)[0])


def test_a_smaller_image_runs_a_smaller_network(photo, monkeypatch):
    """Not only averaged afterwards: the network that is run gives the reduced size."""
    given = []
    networks = type(backends.load(None, pico_plugins.weights.model_folder(pico_plugins.weights.DEFAULT), 1))
    original = networks.synthesise

    def watched(self, *arguments):
        given.append(original(self, *arguments))
        return given[-1]

    monkeypatch.setattr(networks, "synthesise", watched)
    pico_plugins.decode(pico_plugins.encode(photo), scale=1 / 8)
    height, width = photo.shape[:2]
    assert [window.shape for window in given] == [(-(-height // 64) * 8, -(-width // 64) * 8, 3)]


@pytest.mark.parametrize("shape", [(16, 24, 3), (17, 23), (1, 1, 4)])
@pytest.mark.parametrize("by", [1, 2, 4, 8, 16])
def test_averages_are_rounded_means_of_boxes(shape, by):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels[:4, :4] = 255  # the largest sums
    height, width = -(-shape[0] // by), -(-shape[1] // by)
    rows, columns = (np.minimum(np.arange(n * by), size - 1) for n, size in zip((height, width), shape, strict=False))
    filled = pixels[rows][:, columns].astype(float)
    means = filled.reshape(height, by, width, by, *shape[2:]).mean(axis=(1, 3))
    assert np.array_equal(box_average(pixels, by), np.floor(means + 0.5))
