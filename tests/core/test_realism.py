"""Whoever decodes a file, and however, shows it with the realism that was asked for, or else with the file's."""

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from pico_plugins.quality import check_realism

BOX = (20, 10, 150, 90)


def with_pillow(path, realism):
    import pillow_plugin
    from pillow_plugin.options import OPTIONS

    before = OPTIONS.realism
    pillow_plugin.register_pico_opener(realism=realism)
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    finally:
        pillow_plugin.register_pico_opener(realism=before)


def with_imageio(path, realism):
    iio = pytest.importorskip("imageio.v3")
    import imageio_plugin  # noqa: F401

    return iio.imread(path, **({} if realism is None else {"realism": realism}))


def lazily(path, realism):
    with pico_plugins.LazyImage(path, realism=realism) as image:
        return image.levels[0][:]


def in_bands(path, realism):
    return np.concatenate([band for _, band in pico_plugins.decode_bands(path, realism=realism)])


def in_parts(path, realism):
    whole = pico_plugins.decode(path, realism=realism)
    left, top, right, bottom = BOX
    whole[top:bottom, left:right] = pico_plugins.decode_region(path, BOX, realism=realism)
    return whole


WAYS = (with_pillow, with_imageio, lazily, in_bands, in_parts)


@pytest.fixture(scope="module")
def part(photo):
    return photo[:130, :200]


@pytest.fixture(scope="module")
def shown(part):
    """A file's two pictures, which differ."""
    data = pico_plugins.encode(part, 30, tile=64)
    pictures = {realism: pico_plugins.decode(data, realism=realism, threads=1) for realism in (0.0, 1.0)}
    assert np.abs(pictures[0.0].astype(int) - pictures[1.0]).mean() > 0.5
    return pictures


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", [0.0, 1.0])
@pytest.mark.parametrize("asked", [None, 0.0, 1.0])
def test_the_realism_that_is_asked_for_or_the_files(way, file, asked, part, shown, tmp_path):
    pico_plugins.encode_file(tmp_path / "a.pico", part, 30, tile=64, realism=file)
    assert np.array_equal(way(tmp_path / "a.pico", asked), shown[file if asked is None else asked])


def test_what_pillow_and_imageio_write_asks_for_it(part, tmp_path):
    iio = pytest.importorskip("imageio.v3")
    import imageio_plugin  # noqa: F401
    import pillow_plugin  # noqa: F401

    Image.fromarray(part).save(tmp_path / "pillow.pico", realism=1.0)
    iio.imwrite(tmp_path / "imageio.pico", part, realism=1.0)
    for name in ("pillow", "imageio"):
        assert pico_plugins.read_header(tmp_path / f"{name}.pico").realism == 1


@pytest.mark.parametrize("tile", [63, 64])
@pytest.mark.parametrize("scale", [1 / 2, 1 / 4, 1 / 8])
def test_reduced_images_are_faithful(part, tile, scale):
    """Also where tiles do not divide by the scale, and full pixels are averaged."""
    data = pico_plugins.encode(part, 20, tile=tile, realism=1.0)
    faithful = pico_plugins.decode(data, scale=scale, realism=0.0)
    for realism in (None, 1.0):
        assert np.array_equal(pico_plugins.decode(data, scale=scale, realism=realism), faithful)
    with pytest.raises(ValueError, match="realism must be"):
        pico_plugins.decode(data, scale=scale, realism=2)


def test_a_lazy_image_keeps_to_one_realism_in_one_read(part):
    with pico_plugins.LazyImage(pico_plugins.encode(part, 20, tile=64), realism=1.0, threads=1) as image:
        perceptual = image.levels[0][:]
        tiles = image.tiles(1, (0, 0, 200, 130))
        image.realism = 0.0
        faithful = image.levels[0][:]
        reading = image.decode(1, tiles)
        first = next(reading)
        image.realism = 1.0  # while it is read
        for tile, pixels in (first, *reading):
            there = slice(*tile.rows), slice(*tile.columns)
            assert np.array_equal(pixels, faithful[there])
        assert not np.array_equal(perceptual, faithful)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), "0.5", [1], 1j, True, np.array([0.5])])
def test_no_other_realism(part, patch_file, wrong):
    with pytest.raises(ValueError, match="realism must be a number from 0"):
        check_realism(wrong)
    with pytest.raises(ValueError, match="realism"):
        pico_plugins.encode(part, realism=wrong)
    with pytest.raises(ValueError, match="realism"):
        pico_plugins.decode(patch_file, realism=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, float("nan"), "2"])
def test_no_other_number_of_threads(patch_file, wrong):
    with pytest.raises(ValueError, match="threads must be an integer"):
        pico_plugins.decode(patch_file, threads=wrong)


def test_kinds_of_numbers(patch_file):
    a = pico_plugins.decode(patch_file, realism=np.float32(0.5), threads=np.int64(2))
    assert np.array_equal(a, pico_plugins.decode(patch_file, realism=0.5))
