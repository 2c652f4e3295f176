"""The pyramid behind large layers: it answers at once, and in the end with the right pixels."""

import copy
import subprocess
import sys
import time

import numpy as np
import pytest

import pico_plugins
from napari_plugin import progressive
from napari_plugin.progressive import ProgressiveImage
from napari_plugin.reader import get_reader
from tests.napari.huge import write_huge


@pytest.fixture(scope="module")
def file(photo):
    return pico_plugins.encode(np.tile(photo, (2, 2, 1)), 40, tile=120)  # 7 x 10 tiles


def settle(image: ProgressiveImage) -> None:
    end = time.monotonic() + 60
    while image._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_coarse_levels_are_filled_in(file):
    updates = []
    image = ProgressiveImage(file, updates.append)
    first = np.asarray(image.levels[3])  # what napari reads once and keeps
    settle(image)
    assert np.array_equal(first, pico_plugins.decode(file, scale=1 / 8))
    assert updates and all(updated is image for updated in updates)
    assert np.array_equal(np.asarray(image.levels[3]), pico_plugins.decode(file, scale=1 / 8))
    assert image._thread is None  # complete: nothing is decoded again
    # The next finer level starts from the coarser one instead of gray.
    finer = np.asarray(image.levels[2]).astype(int)
    expected = pico_plugins.decode(file, scale=1 / 4)
    assert np.abs(finer - expected).mean() < 12
    settle(image)
    assert np.array_equal(np.asarray(image.levels[2]), expected)


def test_the_full_resolution_is_exact_at_once(file):
    image = ProgressiveImage(file, lambda image: None)
    assert np.array_equal(np.asarray(image.levels[0]), pico_plugins.decode(file))


def test_every_view_of_a_half_known_level_can_be_shown(file):
    """Stand-ins from coarser levels do not end where the finer level's tiles end."""
    image = ProgressiveImage(file, lambda image: None)
    image.levels[3][:]
    settle(image)
    for bottom in range(360, 400):
        image._cache = type(image._cache)((k, v) for k, v in image._cache.items() if k[1] == 8)
        assert image.levels[1][:bottom, :bottom].shape == (bottom, bottom, 3)
    settle(image)


def test_few_tiles_are_waited_for(file):
    image = ProgressiveImage(file, lambda image: None)
    part = image.levels[1][:100, :100]
    assert np.array_equal(part, pico_plugins.decode(file, scale=1 / 2)[:100, :100])
    assert image._thread is None


def test_the_view_is_decoded_before_what_was_in_view(file, monkeypatch):
    image = ProgressiveImage(file, lambda image: None)
    order = []
    original = ProgressiveImage.decode

    def watched(self, reduction, tiles):
        order.append(reduction)
        time.sleep(0.05)
        return original(self, reduction, tiles)

    monkeypatch.setattr(ProgressiveImage, "decode", watched)
    monkeypatch.setattr(progressive, "BATCH", 4)
    image.levels[3][:]
    image.levels[2][:]  # wanted later, needed sooner
    settle(image)
    changes = [a for a, b in zip(order, [*order[1:], 0], strict=True) if a != b]
    assert changes in ([8, 4, 8], [4, 8])


def test_damaged_tiles_stay_gray_and_are_not_tried_for_ever(file):
    broken = bytearray(file)
    broken[-10] ^= 1
    image = ProgressiveImage(bytes(broken), lambda image: None)
    with pytest.warns(UserWarning, match="stay gray: .*checksum") as said:
        image.levels[3][:]
        settle(image)
    assert len(said) == 1
    shown = np.asarray(image.levels[3])
    assert image._thread is None
    assert (shown[-1, -1] == 128).all()
    assert np.array_equal(shown[:70], pico_plugins.decode(file, scale=1 / 8)[:70])


def test_a_copy_answers_at_once_as_well(tmp_path, file):
    """napari copies deeply what it duplicates."""
    path = tmp_path / "a.pico"
    path.write_bytes(file)
    updates = []
    levels = copy.deepcopy(ProgressiveImage(path, updates.append).levels)
    image = levels[0].image
    assert isinstance(image, ProgressiveImage)
    assert all(level.image is image for level in levels)
    small = np.asarray(levels[3])
    assert (small == 128).any(axis=-1).all()  # nothing was waited for
    settle(image)
    assert np.array_equal(np.asarray(levels[3]), pico_plugins.decode(file, scale=1 / 8))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_first_look_at_a_damaged_place_is_gray_at_once(file, level):
    """Few tiles are waited for, and one of them is damaged: the others are shown, and why one is not."""
    broken = bytearray(file)
    broken[-10] ^= 1  # the last tile
    image = ProgressiveImage(bytes(broken), lambda image: None)
    by = image.levels[level].reduction
    with pytest.warns(UserWarning, match="stay gray: .*checksum") as said:
        part = image.levels[level][-200 // by :, -200 // by :]
    assert len(said) == 1
    expected = pico_plugins.decode(file, scale=1 / by)[-200 // by :, -200 // by :].copy()
    last = image.header.grid[len(image.header.grid) - 1].reduced(by)
    rows, columns = last.rows[1] - last.rows[0], last.columns[1] - last.columns[0]
    expected[-rows:, -columns:] = 128
    assert np.array_equal(part, expected)
    assert np.array_equal(image.levels[level][-200 // by :, -200 // by :], part)  # neither tried nor said again
    with pytest.raises(pico_plugins.PicoError, match="checksum"):  # never saved as if it were the image
        image.levels[0][-200:, -200:]


def test_quitting_does_not_wait_for_the_rest(tmp_path, photo):
    write_huge(tmp_path / "huge.pico", photo)
    code = f"""
from pathlib import Path
from napari_plugin.progressive import ProgressiveImage
image = ProgressiveImage(Path({str(tmp_path / "huge.pico")!r}), lambda image: None)
image.levels[3][:]
while not image._cached:
    pass
assert len(image._cache) < 400
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_200_megapixels_open_in_a_second_and_pan_without_the_rest(tmp_path, photo):
    path = tmp_path / "huge.pico"
    write_huge(path, photo)

    start = time.perf_counter()
    ((levels, _, _),) = get_reader(str(path))(str(path))
    np.asarray(levels[-1])  # all that napari asks for when a layer is added
    opened = time.perf_counter() - start
    image = levels[0].image
    with image._wanting:
        image._wanted.clear()  # the overview would go on in the background
    settle(image)
    done = len(image._cache)
    assert levels[0].size // 3 > 200_000_000
    assert opened < 1
    assert levels[0][7000:7800, 9000:10_000].shape == (800, 1000, 3)
    assert len(image._cache) - done <= 9
