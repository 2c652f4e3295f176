"""What imageio's own tests check of a v3 plugin."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

iio = pytest.importorskip("imageio.v3")

import imageio.v2 as iio2
from imageio.core.request import InitializationError, Request

import imageio_plugin
import pico_plugins
from imageio_plugin.plugin import PicoPlugin
from tests.conftest import psnr
from tests.core.test_files import Raw


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


def test_a_second_image_is_refused_and_the_first_stays(tmp_path, patch, patch_file):
    path = tmp_path / "a.pico"
    with iio2.get_writer(path, mode="I", quality=60) as writer:
        with pytest.raises(ValueError, match="uint8 array"):
            writer.append_data(patch.astype(float))  # nothing was written yet
        writer.append_data(patch)
        with pytest.raises(ValueError, match="holds one image"):
            writer.append_data(255 - patch)
    assert path.read_bytes() == patch_file
    stream = io.BytesIO()
    for target in (stream, "<bytes>"):
        with iio.imopen(target, "w", extension=".pico") as file:
            file.write(patch, quality=60)
            with pytest.raises(ValueError, match="holds one image"):
                file.write(255 - patch)
    assert stream.getvalue() == patch_file
    with pytest.raises(ValueError, match="one image, not 2"):
        iio2.mimwrite(path, [patch, patch])


def test_mode(path, patch_file, patch, tmp_path):
    """As imageio's own Pillow plugin has it."""
    with Image.open(io.BytesIO(iio.imwrite("<bytes>", pico_plugins.decode(patch_file), extension=".png"))) as image:
        for mode in ("L", "RGB", "RGBA", "F", "CMYK", "1"):
            got, expected = iio.imread(path, mode=mode), np.asarray(image.convert(mode))
            assert got.dtype == expected.dtype
            assert np.array_equal(got, expected)
            got[:1] = 0  # may be written to
    assert iio.imread(path, mode="L", region=(0, 0, 8, 6), index=...).shape == (1, 6, 8)
    for wrong in ("XYZ", 3):
        with pytest.raises(ValueError, match="mode must be"):
            iio.imread(path, mode=wrong)
    iio.imwrite(tmp_path / "b.pico", patch, mode="RGB", quality=60)
    assert (tmp_path / "b.pico").read_bytes() == patch_file
    for wrong in ("L", "CMYK", "RGBA"):
        with pytest.raises(ValueError, match="mode"):
            iio.imwrite(tmp_path / "b.pico", patch, mode=wrong)
    with pytest.raises(TypeError, match="as_gray"):
        iio2.imread(path, as_gray=True)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotate(path, patch, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    xmp = f'<x:xmpmeta tiff:Orientation="{orientation}"/>'.encode()
    for metadata in ({"exif": exif.tobytes()}, {"xmp": xmp}):
        iio.imwrite(path, patch, **metadata)
        stored = iio.imread(path)
        image = Image.fromarray(stored)
        image.info.update(metadata)
        upright = np.asarray(ImageOps.exif_transpose(image))
        assert np.array_equal(iio.imread(path, rotate=True), upright)
        assert np.array_equal(
            iio.imread(path, rotate=True, mode="L"), np.asarray(Image.fromarray(upright).convert("L"))
        )
    assert iio.imread(path, rotate=True).flags.c_contiguous


def test_rotate_with_exif_that_cannot_be_read(path, patch):
    iio.imwrite(path, patch, exif=b"\xff" * 50)
    with pytest.warns(UserWarning, match="Exif data cannot be read"):
        assert np.array_equal(iio.imread(path, rotate=True), iio.imread(path))


def test_streams_that_cannot_seek_and_pipes(tiled_file):
    expected = pico_plugins.decode(tiled_file)
    with iio.imopen(Raw(tiled_file, seekable=False), "r", extension=".pico") as file:
        assert file.properties().shape == expected.shape
        assert np.array_equal(file.read(region=(90, 90, 220, 140)), expected[90:, 90:])
        assert np.array_equal(file.read(), expected)
    assert np.array_equal(iio.imread(Raw(tiled_file), extension=".pico"), expected)
    target = Raw(seekable=False)
    iio.imwrite(target, expected, extension=".pico", quality=50)
    assert pico_plugins.decode(bytes(target.data)).shape == expected.shape


def test_regions_in_numpys_numbers(path, patch_file):
    box = np.array([8, 16, 40, 48], np.uint8)
    assert np.array_equal(iio.imread(path, region=box), pico_plugins.decode(patch_file)[16:48, 8:40])


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
    options = dict(text={"Title": "a"}, dpi=(300, 72))
    iio.imwrite(tmp_path / "a.pico", patch, exif=b"MM\0*", xmp=b"<x/>", icc_profile=b"icc", **options)
    metadata = iio.immeta(tmp_path / "a.pico")
    assert {name: metadata[name] for name in options} == options
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
