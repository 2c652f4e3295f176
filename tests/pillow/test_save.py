"""Writing .pico through Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

import pillow_plugin
from tests.conftest import psnr


def roundtrip(image: Image.Image, **options) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "PICO", **options)
    assert not out.closed
    return Image.open(io.BytesIO(out.getvalue()))


@pytest.fixture
def rgb(patch) -> Image.Image:
    return Image.fromarray(patch)


def test_extension_and_upper_case(tmp_path, rgb):
    for name in ("a.pico", "B.PICO"):
        rgb.save(tmp_path / name, quality=90)
        assert psnr(np.asarray(rgb), np.asarray(Image.open(tmp_path / name))) > 30


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


@pytest.mark.parametrize(
    ("mode", "result"),
    [("1", "L"), ("L", "L"), *((mode, "RGB") for mode in ("RGB", "CMYK", "YCbCr", "HSV", "LAB", "P", "RGBX"))],
)
def test_modes_without_transparency(rgb, mode, result):
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    else:
        image = rgb.convert(mode)
    shown = roundtrip(image, quality=95)
    assert shown.mode == result
    if mode != "LAB":  # Pillow's own conversion of LAB has no defined result to compare with
        assert psnr(np.asarray(image.convert(result)), np.asarray(shown)) > (
            12 if mode == "1" else 22 if mode == "P" else 30
        )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "La", "RGBa", "PA"])
def test_modes_with_transparency(rgb, mode):
    source = with_alpha(rgb)
    if mode == "PA":
        image = rgb.quantize(16).convert("PA")
        image.putalpha(source.getchannel("A"))
    elif mode in ("La", "RGBa"):
        image = source.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    else:
        image = source.convert(mode)
    shown = roundtrip(image, quality=95)
    assert shown.mode == "RGBA"
    assert np.array_equal(np.asarray(shown)[..., 3], np.asarray(source)[..., 3])


def test_palette_and_keyed_transparency_are_kept(rgb):
    palette = rgb.quantize(16)
    palette.info["transparency"] = 3
    for image in (palette, rgb.copy(), rgb.convert("L")):
        if image.mode != "P":
            image.info["transparency"] = image.getpixel((0, 0))
        expected = np.asarray(image.convert("RGBA"))[..., 3]
        assert expected.min() == 0
        assert np.array_equal(np.asarray(roundtrip(image))[..., 3], expected)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_sixteen_bits_are_scaled_with_a_warning(mode):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    image = Image.frombytes("I;16", (64, 64), ramp.tobytes())
    if mode == "I;16B":
        image = Image.frombytes("I;16B", (64, 64), ramp.astype(">u2").tobytes())
    elif mode == "I;16L":
        image = Image.frombytes("I;16L", (64, 64), ramp.tobytes())
    with pytest.warns(UserWarning, match="8 bits"):
        shown = roundtrip(image, quality=95)
    assert np.abs(np.asarray(shown).astype(float) - ramp / 257).mean() < 4


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_a_range_are_refused(tmp_path, mode):
    path = tmp_path / "a.pico"
    with pytest.raises(OSError, match=f"cannot write mode {mode} as PICO"):
        Image.new(mode, (9, 9)).save(path)
    assert not path.exists()


def test_quality_orders_size(rgb):
    sizes = []
    for quality in (1, 40, 100):
        out = io.BytesIO()
        rgb.save(out, "PICO", quality=quality)
        sizes.append(len(out.getvalue()))
    assert sizes == sorted(sizes)
    assert roundtrip(rgb, quality=40).info["pico"]["quality"] == 40


@pytest.mark.parametrize("quality", [0, 101, "web_high", True])
def test_bad_quality(tmp_path, rgb, quality):
    path = tmp_path / "a.pico"
    with pytest.raises(ValueError, match="quality must be"):
        rgb.save(path, quality=quality)
    assert not path.exists()


def test_zero_size(tmp_path):
    with pytest.raises(ValueError, match="non-empty"):
        Image.new("RGB", (0, 5)).save(tmp_path / "a.pico")


def test_exif_is_written_when_asked_for(rgb):
    exif = Image.Exif()
    exif[0x010E] = "a cup"
    rgb.info["exif"] = exif.tobytes()
    assert "exif" not in roundtrip(rgb).info
    for form in (exif, exif.tobytes(), b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")):
        shown = roundtrip(rgb, exif=form)
        assert shown.info["exif"].count(b"Exif\0\0") == 1
        assert shown.getexif()[0x010E] == "a cup"
        jpeg = io.BytesIO()
        shown.save(jpeg, "JPEG", exif=shown.info["exif"])
        assert Image.open(jpeg).getexif()[0x010E] == "a cup"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_neither_applied_nor_lost(rgb, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = roundtrip(rgb, exif=exif)
    assert shown.size == rgb.size
    assert shown.getexif()[0x0112] == orientation
    turned = ImageOps.exif_transpose(shown)
    assert turned.size == (rgb.size if orientation < 5 else rgb.size[::-1])


def test_icc_profile_is_kept_replaced_or_dropped(rgb):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb.info["icc_profile"] = profile
    assert roundtrip(rgb).info["icc_profile"] == profile
    assert roundtrip(rgb, icc_profile=b"other").info["icc_profile"] == b"other"
    assert "icc_profile" not in roundtrip(rgb, icc_profile=None).info
    assert roundtrip(rgb.convert("RGBA")).info["icc_profile"] == profile
    for mode in ("CMYK", "LA", "YCbCr"):  # written in another colour space than the profile's
        other = rgb.convert(mode)
        other.info["icc_profile"] = b"for that mode"
        assert "icc_profile" not in roundtrip(other).info


@pytest.mark.parametrize("xmp", [b"<x:xmpmeta/>", "<x:xmpmeta/>"])
def test_xmp(rgb, xmp):
    assert roundtrip(rgb, xmp=xmp).info["xmp"] == b"<x:xmpmeta/>"


def test_text(rgb):
    assert roundtrip(rgb, text={"exif": "only a keyword", "Title": "Ünï"}).info["text"]["Title"] == "Ünï"
    with pytest.raises(TypeError, match="exif must be bytes"):
        roundtrip(rgb, exif="abc")


def test_unknown_options_are_ignored(rgb):
    assert roundtrip(rgb, subsampling="4:4:4", optimize=True).size == rgb.size


def test_save_function_is_atomic(tmp_path, rgb):
    path = tmp_path / "a.pico"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="mode F"):
        pillow_plugin.save(Image.new("F", (4, 4)), path)
    assert path.read_bytes() == b"old"
    pillow_plugin.save(rgb, path, quality=30)
    assert Image.open(path).size == rgb.size


def test_a_loaded_pico_can_be_saved_over_itself(tmp_path, rgb):
    path = tmp_path / "a.pico"
    rgb.save(path)
    image = Image.open(path)
    image.save(path, quality=50)
    assert Image.open(path).info["pico"]["quality"] == 50


def test_backend(tmp_path, patch):
    image = Image.fromarray(patch)
    image.save(tmp_path / "a.pico", backend="onnxruntime")
    with pytest.raises(ValueError, match="'abacus' is not available"):
        image.save(tmp_path / "b.pico", backend="abacus")
