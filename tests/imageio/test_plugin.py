"""What imageio's own tests check of a v3 plugin."""

import io

import numpy as np
import pytest

iio = pytest.importorskip("imageio.v3")

import imageio.v2 as iio2
from imageio.core.request import InitializationError, Request

import imageio_plugin
import pico_plugins
from imageio_plugin.plugin import PicoPlugin
from tests.conftest import psnr


@pytest.fixture
def path(tmp_path, patch_file):
    path = tmp_path / "patch.pico"
    path.write_bytes(patch_file)
    return path


def test_read_every_way(path, patch_file):
    expected = pico_plugins.decode(patch_file)
    assert np.array_equal(iio.imread(path), expected)
    assert np.array_equal(iio.imread(str(path), index=0), expected)
    assert np.array_equal(iio.imread(path, index=...), expected[None])
    assert np.array_equal(iio.imread(patch_file, plugin="PICO"), expected)
    assert np.array_equal(iio.imread(patch_file, extension=".pico"), expected)
    assert np.array_equal(iio.imread(io.BytesIO(patch_file), extension=".pico"), expected)
    assert np.array_equal(iio.imread(path, plugin=PicoPlugin), expected)
    assert np.array_equal(np.stack(list(iio.imiter(path))), expected[None])
    assert np.array_equal(iio2.imread(path), expected)
    upper = path.with_suffix(".PICO")
    upper.write_bytes(patch_file)
    assert np.array_equal(iio.imread(upper), expected)


def test_region_and_realism(tmp_path, tiled_file):
    path = tmp_path / "a.pico"
    path.write_bytes(tiled_file)
    assert np.array_equal(
        iio.imread(path, region=(70, 10, 100, 90), realism=0.0), pico_plugins.decode(tiled_file)[10:90, 70:100]
    )
    with pytest.raises(ValueError, match="not inside"):
        iio.imread(path, region=(0, 0, 500, 5))


def test_scale(path, patch_file):
    for scale in (1 / 2, 1 / 4, 1 / 8):
        assert np.array_equal(iio.imread(path, scale=scale), pico_plugins.decode(patch_file, scale=scale))
    part = iio.imread(path, scale=1 / 2, region=(8, 16, 40, 48))
    assert np.array_equal(part, pico_plugins.decode(patch_file, scale=1 / 2)[8:24, 4:20])
    with pytest.raises(ValueError, match="scale"):
        iio.imread(path, scale=3)


@pytest.mark.parametrize("index", [1, -2])
def test_there_is_one_image(path, index):
    for call in (iio.imread, iio.improps, iio.immeta):
        with pytest.raises(ValueError, match="one image"):
            call(path, index=index)


def test_write_every_way(tmp_path, patch):
    path = tmp_path / "a.pico"
    iio.imwrite(path, patch, quality=90)
    assert psnr(iio.imread(path), patch) > 28
    data = iio.imwrite("<bytes>", patch, extension=".pico", quality=90)
    assert data == path.read_bytes()
    buffer = io.BytesIO()
    iio.imwrite(buffer, patch, extension=".pico", quality=90)
    assert buffer.getvalue() == data
    iio2.imwrite(path, patch, quality=90)
    assert path.read_bytes() == data
    assert iio.imwrite("<bytes>", patch, plugin="PICO", quality=90) == data
    assert iio2.imwrite("<bytes>", patch, format="PICO", quality=90) == data
    buffer = io.BytesIO()
    iio.imwrite(buffer, patch, plugin=PicoPlugin, quality=90)
    assert buffer.getvalue() == data
    iio.imwrite(path, [patch], quality=90)
    assert path.read_bytes() == data
    iio.imwrite(path, patch[None], is_batch=True, quality=90)
    assert path.read_bytes() == data


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_shapes(tmp_path, shape):
    iio.imwrite(tmp_path / "a.pico", np.full(shape, 100, np.uint8))
    assert iio.imread(tmp_path / "a.pico").shape == shape
    assert iio.improps(tmp_path / "a.pico").shape == shape


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint16), np.zeros((2, 4, 4, 3), np.uint8), [np.zeros((4, 4), np.uint8)] * 2]
)
def test_refused_pixels(tmp_path, pixels):
    with pytest.raises(ValueError, match=r"uint8 array|one image"):
        iio.imwrite(tmp_path / "a.pico", pixels)


def test_a_failing_write_leaves_the_file(path, patch, patch_file):
    with pytest.raises(ValueError, match="uint8 array"):
        iio.imwrite(path, patch.astype(np.float32))
    with pytest.raises(ValueError, match="quality"):
        iio.imwrite(path, patch, quality=0)
    assert path.read_bytes() == patch_file
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_imopen_and_v2_readers(path, patch, patch_file):
    expected = pico_plugins.decode(patch_file)
    with iio.imopen(path, "r", plugin="PICO") as file:
        assert np.array_equal(file.read(), expected)
        assert np.array_equal(next(file.iter(scale=1 / 2)), pico_plugins.decode(patch_file, scale=1 / 2))
        assert file.properties().shape == expected.shape
        assert file.metadata()["pico"]["quality"] == 60
    for source in (path, patch_file, io.BytesIO(patch_file)):
        assert np.array_equal(iio2.imread(source, format="PICO"), expected)
    with iio2.get_reader(path) as reader:
        assert len(reader) == 1
        assert np.array_equal(reader.get_data(0), expected)
        assert reader.get_meta_data()["pico"]["quality"] == 60
    with iio2.get_writer(path, quality=30) as writer:
        writer.append_data(patch)
    assert path.stat().st_size < len(patch_file)


def test_properties_and_metadata_without_decoding(tmp_path, tiled_file, monkeypatch):
    path = tmp_path / "a.pico"
    path.write_bytes(tiled_file)
    monkeypatch.setattr("imageio_plugin.plugin.decode_region", None)
    properties = iio.improps(path)
    assert (properties.shape, properties.dtype, properties.is_batch) == ((140, 220, 4), np.uint8, False)
    batch = iio.improps(path, index=...)
    assert (batch.shape, batch.n_images, batch.is_batch) == ((1, 140, 220, 4), 1, True)
    metadata = iio.immeta(path)
    assert metadata["mode"] == "RGBA"
    assert metadata["exif"].startswith(b"Exif\0\0II")
    assert metadata["text"] == {"Title": "Café"}
    assert metadata["pico"]["tile"] == 80


def test_metadata_is_written(tmp_path, patch):
    iio.imwrite(tmp_path / "a.pico", patch, exif=b"MM\0*", xmp=b"<x/>", icc_profile=b"icc")
    metadata = iio.immeta(tmp_path / "a.pico")
    assert (metadata["exif"], metadata["xmp"], metadata["icc_profile"]) == (b"Exif\0\0MM\0*", b"<x/>", b"icc")


def test_what_is_not_ours_is_left_to_others(tmp_path, patch):
    png = tmp_path / "a.png"
    iio.imwrite(png, patch)
    assert np.array_equal(iio.imread(png), patch)
    assert np.array_equal(iio.imread(png.read_bytes()), patch)
    with pytest.raises(InitializationError):
        PicoPlugin(Request(png, "r"))
    for target in ("b.png", "b"):
        with pytest.raises(InitializationError):
            PicoPlugin(Request(tmp_path / target, "w"))
    assert iio.imwrite("<bytes>", patch, extension=".png") == png.read_bytes()
    with pytest.warns(UserWarning, match="file format"), pytest.raises(ValueError, match="extension"):
        iio.imwrite("<bytes>", patch)  # without a name PICO is not tried before the others
    renamed = tmp_path / "c.pico"
    renamed.write_bytes(png.read_bytes())
    assert np.array_equal(iio.imread(renamed), patch)


def test_damage_is_an_oserror(path, patch_file):
    broken = bytearray(patch_file)
    broken[-10] ^= 1
    path.write_bytes(broken)
    with pytest.raises(OSError, match="tile 0"):
        iio.imread(path)
    broken = bytearray(patch_file)
    broken[20] ^= 1
    path.write_bytes(broken)
    with pytest.raises(OSError, match="HEAD"):
        iio.improps(path)


def test_registration_is_idempotent():
    from imageio.config import known_extensions, known_plugins

    order = list(known_plugins)
    imageio_plugin.register_pico()
    assert list(known_plugins) == order
    assert len(known_extensions[".pico"]) == 1


def test_backend(tmp_path, patch):
    path = tmp_path / "a.pico"
    iio.imwrite(path, patch, backend="onnxruntime")
    assert iio.imread(path, backend="onnxruntime").shape == patch.shape
    for work in (lambda: iio.imread(path, backend="abacus"), lambda: iio.imwrite(path, patch, backend="abacus")):
        with pytest.raises(ValueError, match="'abacus' is not available"):
            work()
