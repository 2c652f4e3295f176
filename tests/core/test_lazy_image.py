import sqlite3
import threading

import numpy as np
import pytest

import pico_plugins
from pico_plugins import LazyImage
from pico_plugins.errors import DamagedError, PicoError


@pytest.fixture(scope="module")
def file(photo):
    return pico_plugins.encode(photo, 60, tile=120)


def watch(image: LazyImage, monkeypatch) -> list[int]:
    """The numbers of the tiles whose bytes are read from now on."""
    read = []
    original = image._reader.tile_bytes

    def tile_bytes(number: int):
        read.append(number)
        return original(number)

    monkeypatch.setattr(image._reader, "tile_bytes", tile_bytes)
    return read


def test_levels_are_the_decoded_images(file):
    with LazyImage(file) as image:
        assert [level.reduction for level in image.levels] == [1, 2, 4, 8]
        for level in image.levels:
            expected = pico_plugins.decode(file, scale=1 / level.reduction)
            assert (level.shape, level.dtype, level.ndim, level.size, len(level)) == (
                expected.shape,
                expected.dtype,
                expected.ndim,
                expected.size,
                len(expected),
            )
            assert np.array_equal(np.asarray(level), expected)


@pytest.mark.parametrize(
    "key",
    [
        np.s_[10:200, 5:9],
        np.s_[130],
        np.s_[-1, -1],
        np.s_[..., 0],
        np.s_[3:50, ..., 1],
        np.s_[::-7, 300:20:-5],
        np.s_[10:10],
        np.s_[5, 6, 1:],
        np.s_[:, 100:5000],
    ],
)
def test_indexing_is_that_of_an_array(file, key):
    expected = pico_plugins.decode(file)
    with LazyImage(file) as image:
        assert np.array_equal(image.levels[0][key], expected[key])


def test_wrong_indices(file):
    with LazyImage(file) as image:
        level = image.levels[1]
        for key in (10_000, (0, -10_000), (0, 0, 0, 0)):
            with pytest.raises(IndexError):
                level[key]
        with pytest.raises(ValueError, match="copy"):
            np.array(level, copy=False)


def test_only_what_is_looked_at_is_decoded_and_only_once(file, monkeypatch):
    with LazyImage(file) as image:
        read = watch(image, monkeypatch)
        assert read == []
        image.levels[0][:50, :50]
        assert read == [0]
        image.levels[0][:100, :200]
        assert sorted(read) == [0, 1]
        image.levels[2][:20, :20]  # other pixels: decoded anew
        assert sorted(read) == [0, 0, 1]


def test_the_cache_is_bounded_and_keeps_what_was_used_last(file, monkeypatch):
    with LazyImage(file, cache_bytes=3 * 124 * 124 * 3, threads=1) as image:
        read = watch(image, monkeypatch)
        np.asarray(image.levels[0])
        tiles = len(read)
        assert image._cached <= 3 * 124 * 124 * 3
        assert sum(pixels.nbytes for pixels in image._cache.values()) == image._cached
        image.levels[0][-1, -1]
        assert len(read) == tiles
        image.levels[0][0, 0]
        assert len(read) == tiles + 1


def test_many_threads(file):
    expected = pico_plugins.decode(file)
    wrong = []
    with LazyImage(file) as image:

        def look(seed: int) -> None:
            source = np.random.default_rng(seed)
            for _ in range(5):
                top, left = source.integers(300), source.integers(500)
                part = image.levels[0][top : top + 90, left : left + 90]
                if not np.array_equal(part, expected[top : top + 90, left : left + 90]):
                    wrong.append(seed)

        threads = [threading.Thread(target=look, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_files_are_read_in_the_calling_thread(file):
    """Some may be read by no other, such as SQLite's blobs."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE images (data BLOB)")
    connection.execute("INSERT INTO images VALUES (?)", (file,))
    with connection.blobopen("images", "data", 1) as blob:
        expected = pico_plugins.decode(file)
        assert np.array_equal(pico_plugins.decode(blob, threads=3), expected)
        blob.seek(0)
        with LazyImage(blob, threads=3) as image:
            assert np.array_equal(image.levels[0], expected)
    connection.close()


def test_tiles_that_cannot_be_halved_have_no_small_levels(photo):
    with LazyImage(pico_plugins.encode(photo, 30, tile=100)) as image:
        assert [level.reduction for level in image.levels] == [1, 2, 4]
    with LazyImage(pico_plugins.encode(photo[:70, :70], 30, tile=100)) as image:
        assert [level.reduction for level in image.levels] == [1, 2, 4, 8]


def test_gray_and_alpha(photo):
    for pixels in (photo[..., 0], np.dstack([photo, photo[..., :1]])):
        data = pico_plugins.encode(pixels, 50, tile=120)
        with LazyImage(data) as image:
            assert np.array_equal(np.asarray(image.levels[0]), pico_plugins.decode(data))


@pytest.mark.parametrize("box", [(0, 0, 601, 5), (-1, 0, 5, 5), (0, 399, 5, 401)])
def test_boxes_outside_are_refused(file, box):
    with LazyImage(file) as image, pytest.raises(ValueError, match="not inside"):
        image.read(1, box)


def test_reductions(file):
    with LazyImage(file) as image:
        assert np.array_equal(image.read(np.uint8(2), (0, 0, 300, 200)), image.levels[1])
        for wrong in (0, 3, 16, 1.5, None):
            with pytest.raises(ValueError, match="reduction must be"):
                image.read(wrong, (0, 0, 5, 5))


def test_errors(tmp_path, file):
    with pytest.raises(PicoError):
        LazyImage(b"not a pico file at all")
    with pytest.raises(FileNotFoundError):
        LazyImage(tmp_path / "none.pico")
    with pytest.raises(ValueError, match="realism"):
        LazyImage(file, realism=2)
    broken = bytearray(file)
    broken[-10] ^= 1
    with LazyImage(bytes(broken)) as image:
        image.levels[0][0, 0]
        with pytest.raises(DamagedError):
            image.levels[0][-1, -1]


def test_a_path_is_closed(tmp_path, file):
    path = tmp_path / "a.pico"
    path.write_bytes(file)
    with LazyImage(path) as image:
        held = image._reader._file
        image.levels[3][0, 0]
    assert held.closed
