import io
import threading

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from pico_plugins.errors import DamagedError, LimitError, UnsupportedError
from pico_plugins.quality import level_of_quality, quality_of_level
from pico_plugins.tiles.lossless import decode_alpha, encode_alpha
from tests.conftest import psnr


def test_photo_comes_back_looking_the_same(photo):
    sizes, values = [], []
    for quality in (10, 50, 90):
        data = pico_plugins.encode(photo, quality)
        sizes.append(len(data))
        values.append(psnr(photo, pico_plugins.decode(data)))
    assert sizes == sorted(sizes)
    assert values == sorted(values)
    assert values[0] > 23
    assert values[2] > 32
    assert sizes[2] < photo.nbytes / 8


@pytest.mark.parametrize("height", [1, 2, 63, 64, 65, 130])
@pytest.mark.parametrize("width", [1, 7, 64, 129])
def test_any_size(photo, height, width):
    pixels = photo[50 : 50 + height, 90 : 90 + width]
    shown = pico_plugins.decode(pico_plugins.encode(pixels, 95))
    assert shown.shape == pixels.shape
    assert np.abs(shown.astype(int) - pixels).mean() < 12


@pytest.mark.parametrize("shape", [(33, 40), (33, 40, 3), (33, 40, 4)])
def test_channels(photo, shape):
    pixels = (
        photo[:33, :40, 0] if len(shape) == 2 else np.dstack([photo[:33, :40], photo[:33, :40, :1]])[..., : shape[2]]
    )
    shown = pico_plugins.decode(pico_plugins.encode(pixels, 90))
    assert shown.shape == shape
    assert shown.dtype == np.uint8
    if shape[2:] == (4,):
        assert np.array_equal(shown[..., 3], pixels[..., 3])


@pytest.mark.parametrize("quality", [1, 50, 95])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_images_are_exact_and_tiny(value, quality):
    pixels = np.full((300, 200, 3), value, np.uint8)
    data = pico_plugins.encode(pixels, quality)
    assert len(data) < 150
    assert np.array_equal(pico_plugins.decode(data), pixels)


def test_same_input_same_bytes_whatever_the_threads(photo):
    files = {pico_plugins.encode(photo, 40, tile=100, threads=threads) for threads in (1, 2, 4, 1)}
    assert len(files) == 1
    (data,) = files
    one = pico_plugins.decode(data, threads=1)
    assert np.array_equal(one, pico_plugins.decode(data, threads=4))


def test_many_python_threads_at_once(patch, patch_file):
    expected = pico_plugins.decode(patch_file)
    wrong = []

    def work():
        if pico_plugins.encode(patch, 60) != patch_file or not np.array_equal(
            pico_plugins.decode(patch_file), expected
        ):
            wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tiles_meet_without_a_step(photo):
    """Columns on both sides of a seam differ from the original no more than columns elsewhere do."""
    error = np.abs(pico_plugins.decode(pico_plugins.encode(photo, 40, tile=248)).astype(float) - photo).mean((0, 2))
    seam = 252  # window 0 keeps columns up to 248 + margin
    assert error[seam - 2 : seam + 2].mean() < 2.0 * np.median(error)


def test_region_is_a_part_of_the_whole(tiled_file):
    whole = pico_plugins.decode(tiled_file)
    for box in ((0, 0, 220, 140), (0, 0, 1, 1), (83, 83, 84, 85), (70, 10, 100, 139), (219, 139, 220, 140)):
        left, top, right, bottom = box
        assert np.array_equal(pico_plugins.decode_region(tiled_file, box), whole[top:bottom, left:right])


def test_region_reads_only_the_tiles_it_needs(tiled_file):
    broken = bytearray(tiled_file)
    broken[-10] ^= 1  # the last tile
    part = pico_plugins.decode_region(bytes(broken), (0, 0, 60, 60))
    assert np.array_equal(part, pico_plugins.decode_region(tiled_file, (0, 0, 60, 60)))


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "uint32", "uint64"])
def test_numbers_may_be_those_of_numpy(tiled_file, kind):
    """NumPy's wrap around when they are added up: that gave pixels nobody had written."""
    whole = pico_plugins.decode(tiled_file)
    for box in (np.array((70, 10, 100, 139), np.int64).astype(kind), [np.dtype(kind).type(v) for v in (0, 0, 90, 139)]):
        left, top, right, bottom = map(int, box)
        assert np.array_equal(pico_plugins.decode_region(tiled_file, box), whole[top:bottom, left:right])
        with pico_plugins.LazyImage(tiled_file, threads=np.uint8(2), cache_bytes=np.uint8(200)) as image:
            assert np.array_equal(image.read(1, box), whole[top:bottom, left:right])
    number = np.dtype(kind).type
    assert np.array_equal(pico_plugins.decode(tiled_file, threads=number(2), max_pixels=np.uint16(220 * 140)), whole)
    pixels = np.ascontiguousarray(whole[..., :3])
    assert pico_plugins.encode(pixels, number(50), tile=number(80)) == pico_plugins.encode(pixels, 50, tile=80)


@pytest.mark.parametrize(
    "box", [(), (1, 2, 3), (0, 0, 5.0, 5), ("0", 0, 5, 5), (True, True, 5, 5), 5, np.zeros((2, 2), int)]
)
def test_boxes_of_something_else_are_refused(tiled_file, box):
    with pytest.raises(ValueError, match=r"box must be"):
        pico_plugins.decode_region(tiled_file, box)


@pytest.mark.parametrize("scale", [3, 0, None, "1/2", [0.5], float("nan")])
def test_other_scales_are_refused(tiled_file, scale):
    with pytest.raises(ValueError, match="scale must be"):
        pico_plugins.decode(tiled_file, scale=scale)


@pytest.mark.parametrize("box", [(0, 0, 0, 10), (-1, 0, 5, 5), (0, 0, 221, 5), (5, 5, 4, 9)])
def test_regions_outside_are_refused(tiled_file, box):
    with pytest.raises(ValueError, match="not inside"):
        pico_plugins.decode_region(tiled_file, box)


def test_bands_are_the_image_from_top_to_bottom(tiled_file):
    bands = list(pico_plugins.decode_bands(tiled_file))
    assert [top for top, _ in bands] == [0, 84]
    assert np.array_equal(np.concatenate([band for _, band in bands]), pico_plugins.decode(tiled_file))


def test_progress_counts_tiles(photo):
    calls = []
    data = pico_plugins.encode(photo[:140, :220], tile=80, progress=lambda *call: calls.append(call))
    assert calls == [(done, 6) for done in range(1, 7)]
    calls.clear()
    pico_plugins.decode(data, progress=lambda *call: calls.append(call))
    assert calls == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        [[1, 2], [3, 4]],
        None,
    ],
)
def test_other_pixels_are_refused_with_what_is_accepted(pixels):
    with pytest.raises(ValueError, match=r"uint8 array of shape \(H, W\), \(H, W, 3\) or \(H, W, 4\)"):
        pico_plugins.encode(pixels)


@pytest.mark.parametrize("quality", [0, 101, -5, "high", None, True, float("nan")])
def test_bad_quality_is_refused_with_the_range(patch, quality):
    with pytest.raises(ValueError, match=r"from 1 .* to 100"):
        pico_plugins.encode(patch, quality)


@pytest.mark.parametrize(
    "options", [{"realism": 2}, {"tile": 5}, {"tile": 80.0}, {"threads": 0}, {"threads": True}, {"backend": "abacus"}]
)
def test_bad_options_are_refused(patch, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        pico_plugins.encode(patch, **options)


def test_wrong_types_are_named_before_anything_is_coded(patch, monkeypatch):
    with pytest.raises(TypeError, match="metadata must be"):
        pico_plugins.encode(patch, metadata={"exif": b"x"})
    for fidelity in (["strict"], np.array(["strict", "normal"]), 1):
        with pytest.raises(ValueError, match="fidelity must be"):
            pico_plugins.encode(patch, fidelity=fidelity)
    with pytest.raises(ValueError, match=r"backend .* is not available"):
        pico_plugins.encode(patch, backend=["torch"])
    with pytest.raises(ValueError, match=r"uint16 .*: scale the values to 0...255 first"):
        pico_plugins.encode(patch.astype(np.uint16))
    monkeypatch.setenv("PICO_BACKEND", "abacus")
    with pytest.raises(ValueError, match="environment's PICO_BACKEND"):
        pico_plugins.encode(patch)


def test_quality_maps_to_every_step_in_order():
    levels = [level_of_quality(q) for q in range(1, 101)]
    assert levels[0] == 0
    assert levels[-1] == 224
    assert levels == sorted(set(levels))
    assert [round(quality_of_level(level)) for level in levels] == list(range(1, 101))


class Lazy:
    """A source that is no array, and remembers which rows were asked of it, and by whom."""

    def __init__(self, pixels):
        self.pixels, self.dtype = pixels, np.dtype(np.uint8)
        self.shape = tuple(map(np.uint16, pixels.shape))
        self.rows, self.threads = [], set()

    def __getitem__(self, key):
        part = self.pixels[key]
        self.rows.append(range(len(self.pixels))[key[0]])
        self.threads.add(threading.get_ident())
        return part


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("together", [1, 150 * 600 * 3, 1 << 25])
def test_lazy_sources_are_read_once_in_the_calling_thread(photo, channels, together, monkeypatch):
    """A file that is read in turn, and a computation that costs (dask), give right pixels at the price of one pass."""
    monkeypatch.setattr("pico_plugins.encoder.READ_TOGETHER", together)
    pixels = photo[..., 0] if channels == 1 else np.dstack([photo, photo[..., 0]])[..., :channels]
    lazy = Lazy(pixels)
    assert pico_plugins.encode(lazy, tile=100, threads=3) == pico_plugins.encode(pixels, tile=100)
    assert [row for rows in lazy.rows for row in rows] == list(range(400))
    assert max(map(len, lazy.rows)) <= max(108, together // (600 * channels))
    assert lazy.threads == {threading.get_ident()}
    if together == 1 << 25:
        assert len(lazy.rows) == 1


@pytest.mark.parametrize(
    "wrong", [lambda part: part[:-1], lambda part: part.astype(np.uint16), lambda part: part[..., 0]]
)
def test_lazy_sources_that_give_something_else_are_refused(photo, wrong):
    lazy = Lazy(photo)
    lazy.pixels = type("Other", (), {"__len__": lambda _: 400, "__getitem__": lambda _, key: wrong(photo[key])})()
    with pytest.raises(ValueError, match="pixels gave"):
        pico_plugins.encode(lazy)


def test_a_lazy_source_of_unknown_shape_is_refused(photo):
    lazy = Lazy(photo)
    lazy.shape = (float("nan"), 600, 3)
    with pytest.raises(ValueError, match="nan"):
        pico_plugins.encode(lazy)


def test_sources(tmp_path, patch_file):
    expected = pico_plugins.decode(patch_file)
    path = tmp_path / "a.pico"
    path.write_bytes(patch_file)

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

    for source in (
        path,
        str(path),
        bytearray(patch_file),
        memoryview(patch_file),
        memoryview(bytes(byte for byte in patch_file for _ in range(2)))[::2],
        io.BytesIO(patch_file),
        Pipe(patch_file),
    ):
        assert np.array_equal(pico_plugins.decode(source), expected)
    behind = io.BytesIO(b"something" + patch_file)
    behind.seek(9)
    assert np.array_equal(pico_plugins.decode(behind), expected)
    with pytest.raises(TypeError):
        pico_plugins.decode(3)
    with pytest.raises(FileNotFoundError):
        pico_plugins.decode(tmp_path / "missing.pico")


def test_alpha_is_lossless_and_opaque_is_free():
    random = np.random.default_rng(0)
    for alpha in (random.integers(0, 256, (50, 70)).astype(np.uint8), np.zeros((5, 5), np.uint8)):
        assert np.array_equal(decode_alpha(encode_alpha(alpha), alpha.shape), alpha)
    assert encode_alpha(np.full((9, 9), 255, np.uint8)) == b""
    with pytest.raises(DamagedError):
        decode_alpha(encode_alpha(np.zeros((5, 5), np.uint8)), (5, 6))
    with pytest.raises(DamagedError):
        decode_alpha(b"RIFFnonsense", (5, 6))
    lossy = io.BytesIO()
    Image.new("RGB", (6, 5)).save(lossy, "WEBP", quality=50)
    with pytest.raises(DamagedError, match="lossless"):
        decode_alpha(lossy.getvalue(), (5, 6))


def test_a_pillow_without_webp_is_named(patch, tiled_file, monkeypatch):
    """As some distributions and builds from source have it. Photos do without."""
    from PIL import WebPImagePlugin

    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    assert pico_plugins.decode(pico_plugins.encode(patch)).shape == patch.shape
    for work in (
        lambda: pico_plugins.decode(tiled_file),
        lambda: pico_plugins.encode(patch, fidelity="strict", quality=1),
    ):
        with pytest.raises(UnsupportedError, match="without WebP"):
            work()


def test_pillows_limit_on_pixels_is_met_with_our_own_error(patch, monkeypatch):
    pixels = np.dstack([patch, patch[..., :1]])
    data = pico_plugins.encode(pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(LimitError):
        pico_plugins.decode(data)


def test_an_interrupted_decode_cleans_up(tiled_file):
    """A progress callback that raises, and a band iterator that is dropped, leave no threads and no BLAS limit."""
    from pico_plugins import blas

    def stop(done, total):
        raise KeyboardInterrupt

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt) as kept:
            pico_plugins.decode(tiled_file, progress=stop, threads=threads)
        assert kept.value
        bands = pico_plugins.decode_bands(tiled_file, threads=threads)
        next(bands)
        bands.close()
        assert not blas._taken.locked()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("pico")]
