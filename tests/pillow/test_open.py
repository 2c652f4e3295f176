"""Reading .pico through Pillow: what pillow-heif's and Pillow's own format tests check."""

import copy
import io
import pickle
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import pico_plugins
import pillow_plugin


@pytest.fixture
def path(tmp_path, patch_file):
    path = tmp_path / "patch.pico"
    path.write_bytes(patch_file)
    return path


def test_path_string_bytesio_and_file(path, patch_file):
    expected = pico_plugins.decode(patch_file)
    with path.open("rb") as file:
        for source in (path, str(path), io.BytesIO(patch_file), file):
            with Image.open(source) as image:
                assert (image.format, image.mode, image.size) == ("PICO", "RGB", (90, 75))
                assert np.array_equal(np.asarray(image), expected)


def test_open_is_lazy_and_fast(tmp_path, photo, patch_file):
    """A 12-megapixel file, header read in under 5 ms."""
    big = np.tile(photo, (8, 8, 1))[:2848, :4288]
    path = tmp_path / "big.pico"
    pico_plugins.encode_file(path, big, 5)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        with Image.open(path) as image:
            assert image.size == (4288, 2848)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005


def test_nothing_is_decoded_before_it_is_needed(path, monkeypatch):
    calls = []
    real = pico_plugins.decoder.decoded_tiles
    monkeypatch.setattr("pico_plugins.decoder.decoded_tiles", lambda *a, **k: calls.append(1) or real(*a, **k))
    image = Image.open(path)
    assert image.info["pico"]["quality"] == 60
    assert not calls
    image.load()
    image.load()
    assert calls == [1]


def test_file_is_closed_after_load_and_without_warning(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = Image.open(path)
        file = image.fp
        image.load()
        assert file.closed
        assert image.fp is None
        del image


def test_info(tmp_path, tiled_file):
    image = Image.open(io.BytesIO(tiled_file))
    assert image.info["exif"] == b"Exif\0\0II*\0\x08\0\0\0\0\0"
    assert image.info["xmp"] == b"<x/>"
    assert image.info["text"] == image.text == {"Title": "Café"}
    assert Image.open(io.BytesIO(pico_plugins.encode(np.zeros((9, 9), np.uint8)))).text == {}
    assert "icc_profile" not in image.info
    assert image.info["pico"]["tile"] == 80
    assert image.get_format_mimetype() == "image/x-pico"


@pytest.mark.parametrize("data", [b"", b"\x89PICO\r\n\x1a", b"\x89PICO\r\n\x1a" + bytes(50)])
def test_broken_headers_are_unidentified(data):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data))


def test_every_truncation_gives_the_documented_errors(patch_file):
    for length in range(0, len(patch_file), 7):
        try:
            image = Image.open(io.BytesIO(patch_file[:length]))
        except UnidentifiedImageError:
            continue
        with pytest.raises(OSError, match="truncated"):
            image.load()


def test_newer_versions_say_so(patch_file):
    broken = bytearray(patch_file)
    broken[16] = 9  # the version; the checksum is mended below
    import zlib

    broken[41:45] = zlib.crc32(broken[8:41]).to_bytes(4, "little")
    with pytest.raises(UnidentifiedImageError, match="version 9"):
        Image.open(io.BytesIO(broken))


def test_what_is_wrong_with_a_header_is_said(tmp_path, tiled_file):
    """And the file is closed, and named."""
    path = tmp_path / "a.pico"
    for at, name in ((20, "HEAD"), (60, "chunk exif"), (len(tiled_file) - 1, None)):
        broken = bytearray(tiled_file)
        broken[at] ^= 1
        path.write_bytes(broken)
        if name is None:
            assert Image.open(path).size == (220, 140)  # the pixels' turn comes later
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            with pytest.raises(UnidentifiedImageError, match=rf"cannot identify image file .*a\.pico.*: .*{name}"):
                Image.open(path)
            with pytest.raises(UnidentifiedImageError, match=name):
                Image.open(io.BytesIO(broken))
    path.write_bytes(tiled_file[:30])
    with pytest.raises(UnidentifiedImageError, match=r"truncated \(\d+ bytes missing\), in chunk HEAD"):
        Image.open(path)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_file_that_changed_after_it_was_opened_is_refused(tmp_path, photo, in_memory):
    """Its rows would be cut in the wrong places. The picture as it is now comes from opening it again."""
    exif = b"MM\0*\0\0\0\x08\0\0" + bytes(300_000)  # more than a read buffer
    old = Image.fromarray(photo)
    translucent = old.resize((590, 395)).convert("RGBA")
    translucent.putalpha(128)
    for new in (old.transpose(Image.Transpose.ROTATE_90), translucent, old.resize((900, 600))):
        target = io.BytesIO() if in_memory else tmp_path / "a.pico"
        old.save(target, "PICO", exif=exif)
        image = Image.open(target)
        if in_memory:
            target.seek(0)
            target.truncate()
        new.save(target, "PICO", exif=exif)
        for _ in range(2):
            with pytest.raises(OSError, match="changed"):
                image.load()
        again = Image.open(target)
        again.load()
        assert (again.size, again.mode) == (new.size, new.mode)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_loading_takes_the_memory_that_pillow_needs(tmp_path):
    """4 bytes a pixel of RGB, and some windows."""
    path = tmp_path / "a.pico"
    pico_plugins.encode_file(path, np.broadcast_to(np.uint8([[[9, 99, 199]]]), (6000, 8000, 3)))
    code = """
import sys
import pillow_plugin, pico_plugins
from PIL import Image
pico_plugins.decode(sys.argv[1], threads=1, scale=1/8)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
before = peak()
pillow_plugin.register_pico_opener(threads=1)
image = Image.open(sys.argv[1])
image.load()
assert image.getpixel((7999, 5999)) == (9, 99, 199)
print((peak() - before) / 48e6)
"""
    taken = float(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True).stdout)
    print(f"{taken:.2f} bytes a pixel")
    assert taken < 5


def test_truncated_file(tiled_file, monkeypatch):
    short = tiled_file[:-400]
    with pytest.raises(OSError, match=r"image file is truncated \(400 bytes missing\)"):
        Image.open(io.BytesIO(short)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    image = Image.open(io.BytesIO(short))
    shown, whole = np.asarray(image), pico_plugins.decode(tiled_file)
    assert np.array_equal(shown[:84, :84], whole[:84, :84])
    assert (shown[100:, 200:] == 128).all()
    assert 5 in image.info["pico"]["damaged"]
    complete = Image.open(io.BytesIO(tiled_file))
    complete.load()
    assert "damaged" not in complete.info["pico"]


def test_damage_in_the_pixels_is_an_oserror(patch_file):
    broken = bytearray(patch_file)
    broken[-10] ^= 1
    with pytest.raises(OSError, match="tile 0"):
        Image.open(io.BytesIO(broken)).load()


def test_verify(patch_file):
    Image.open(io.BytesIO(patch_file)).verify()
    for at in (-10, -1):
        broken = bytearray(patch_file)
        broken[at] ^= 1
        with pytest.raises(OSError, match="checksum"):
            Image.open(io.BytesIO(broken)).verify()


def test_copy_pickle_and_parser(path, patch_file):
    expected = np.asarray(Image.open(path))
    image = Image.open(path)
    assert np.array_equal(np.asarray(image.copy()), expected)
    assert np.array_equal(np.asarray(copy.deepcopy(Image.open(path).copy())), expected)
    assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(Image.open(path)))), expected)
    parser = ImageFile.Parser()
    for start in range(0, len(patch_file), 500):
        parser.feed(patch_file[start : start + 500])
    assert np.array_equal(np.asarray(parser.close()), expected)


def test_one_image_loaded_by_many_threads(tmp_path, photo):
    path = tmp_path / "a.pico"
    pico_plugins.encode_file(path, photo, 60, tile=100)
    expected, wrong = pico_plugins.decode(path), []
    for _ in range(3):
        image = Image.open(path)

        def look(image=image):
            try:
                if not np.array_equal(np.asarray(image), expected):
                    wrong.append("pixels")
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=look) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_closed_images_say_so(path):
    with Image.open(path) as image:
        pass
    with pytest.raises(ValueError, match="closed image"):
        image.load()
    image = Image.open(path)
    image.close()
    with pytest.raises(ValueError, match="closed image"):
        image.verify()


def test_thumbnail_crop_and_convert(path):
    image = Image.open(path)
    image.thumbnail((20, 20))
    assert image.size == (20, 17)
    assert Image.open(path).convert("L").mode == "L"
    assert Image.open(path).crop((5, 5, 9, 9)).size == (4, 4)


def test_thumbnail_decodes_a_smaller_image(tmp_path, photo, monkeypatch):
    path = tmp_path / "photo.pico"
    pico_plugins.encode_file(path, photo, 60)
    whole = Image.open(path)
    whole.load()
    whole.thumbnail((48, 48))  # from all pixels
    scales = []
    original = pico_plugins.decoder.decoded_tiles

    def watched(*args, **options):
        scales.append(1 / options["reduction"])
        return original(*args, **options)

    monkeypatch.setattr(pico_plugins.decoder, "decoded_tiles", watched)
    image = Image.open(path)
    image.thumbnail((48, 48))
    assert scales == [1 / 4]
    assert image.size == whole.size
    assert np.abs(np.asarray(image).astype(int) - np.asarray(whole)).mean() < 2


def test_a_pickled_image_can_be_made_smaller(path):
    image = pickle.loads(pickle.dumps(Image.open(path)))
    image.thumbnail((20, 20))
    assert image.size == (20, 17)


def test_draft_is_that_of_jpeg(tmp_path, photo):
    """Sizes and boxes as Pillow's JPEG plugin gives them; only once, and not for what is loaded already."""
    path, jpeg = tmp_path / "a.pico", tmp_path / "a.jpg"
    pico_plugins.encode_file(path, photo, 60)
    Image.fromarray(photo).save(jpeg)
    width, height = photo.shape[1::-1]
    for size in ((width, height), (width // 2, height // 2), (width // 3, 5), (10, 10), (1, 1), (2 * width, 1)):
        ours, theirs = Image.open(path), Image.open(jpeg)
        result, expected = ours.draft(None, size), theirs.draft(None, size)
        assert ours.size == theirs.size
        assert result == expected or (result is None and expected[1] == (0, 0, width, height))
        if result:
            assert ours.draft(None, (1, 1)) is None
        ours.load()
        assert ours.size == theirs.size
        assert ours.draft(None, (1, 1)) is None
    image = Image.open(path)
    image.draft(None, (width / 4 + 0.5, height / 4 + 0.5))
    assert image.size == (width // 2, height // 2)  # a quarter would be smaller than what is asked for
    image = Image.open(path)
    image.draft(None, (np.uint8(150), np.uint8(100)))
    assert image.size == (width // 4, height // 4)
    odd = tmp_path / "b.pico"
    pico_plugins.encode_file(odd, photo, 60, tile=100)  # tiles that cannot be made 8 times smaller
    image = Image.open(odd)
    image.draft(None, (10, 10))
    assert image.size == (150, 100)
    assert np.array_equal(np.asarray(image), pico_plugins.decode(odd, scale=1 / 4))
    gray = Image.open(path)
    assert gray.draft("L", None) is None
    assert gray.mode == "RGB"


def test_formats_argument_and_foreign_files(path, tmp_path):
    assert Image.open(path, formats=["PICO"]).format == "PICO"
    with pytest.raises(UnidentifiedImageError):
        Image.open(path, formats=["PNG"])
    png = tmp_path / "a.pico"  # the name does not matter, the bytes do
    Image.new("RGB", (4, 4)).save(png, "PNG")
    assert Image.open(png).format == "PNG"


def test_bomb_check(patch_file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90 * 75 - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(patch_file))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(patch_file))


def test_registration_is_idempotent_and_takes_options():
    before = dict(Image.OPEN)
    pillow_plugin.register_pico_opener()
    pillow_plugin.register_pico_opener(quality=75)
    assert Image.ID.count("PICO") == 1
    assert dict(Image.OPEN) == before
    with pytest.raises(TypeError, match="unknown option 'speed'"):
        pillow_plugin.register_pico_opener(speed=3)
    for option, value in {"quality": 0, "realism": 5, "threads": 0, "backend": "abacus"}.items():
        with pytest.raises(ValueError, match=option):
            pillow_plugin.register_pico_opener(**{option: value})


def test_default_quality_can_be_set(patch):
    def size():
        out = io.BytesIO()
        Image.fromarray(patch).save(out, "PICO")
        return len(out.getvalue())

    normal = size()
    pillow_plugin.register_pico_opener(quality=10)
    try:
        assert size() < normal
    finally:
        pillow_plugin.register_pico_opener(quality=75)
    assert size() == normal
