"""Writing .pico through Pillow."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

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


def test_transparency_of_a_palette(rgb):
    image = rgb.quantize(4)
    image.putpalette(bytes([255, 0, 0, 255, 0, 255, 0, 100, 0, 0, 255, 0, 9, 9, 9, 9]), "RGBA")
    expected = np.asarray(image.convert("RGBA"))[..., 3]
    assert len(np.unique(expected)) == 4
    assert np.array_equal(np.asarray(roundtrip(image))[..., 3], expected)


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_sixteen_bits_are_refused_with_the_way_out(mode):
    """Scaled down they are 21 levels of a 12-bit microscope image. What the message says to do works."""
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    image = Image.frombytes(mode, (64, 64), ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    image.info["transparency"] = 1234
    with pytest.raises(OSError, match=rf"cannot write mode {mode} as PICO, which stores 8 bits") as kept:
        roundtrip(image)
    way_out = str(kept.value).split(" by ")[-1]
    shown = roundtrip(eval(way_out, {"Image": Image, "numpy": np, "image": image}), quality=95)
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


def test_exif_is_kept_replaced_or_dropped(rgb):
    exif = Image.Exif()
    exif[0x010E] = "a cup"
    rgb.info["exif"] = exif.tobytes()
    assert roundtrip(rgb).info["exif"] == exif.tobytes()
    for nothing in (None, b"", False):
        assert "exif" not in roundtrip(rgb, exif=nothing).info
    other = Image.Exif()
    other[0x010E] = "a can"
    for form in (other, other.tobytes(), b"Exif\0\0" + other.tobytes().removeprefix(b"Exif\0\0")):
        shown = roundtrip(rgb, exif=form)
        assert shown.info["exif"].count(b"Exif\0\0") == 1
        assert shown.getexif()[0x010E] == "a can"
        jpeg = io.BytesIO()
        shown.save(jpeg, "JPEG", exif=shown.info["exif"])
        assert Image.open(jpeg).getexif()[0x010E] == "a can"


def converted(image: Image.Image, form: str, **options) -> Image.Image:
    """What becomes of ``image`` saved in another format, opened, and saved as .pico without a word more."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return roundtrip(Image.open(out))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_photos_stay_upright_and_keep_what_they_say(rgb, form):
    """Exif with its orientation, XMP, profile and resolution: by a plain open and save."""
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
    options = {"exif": exif, "icc_profile": profile}
    if form == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"].add_text("Title", "Ünï")
        options["pnginfo"].add_text("parameters", "a prompt", zip=True)
    else:
        options["xmp"] = xmp
    if form != "WEBP":
        options["dpi"] = (300, 150)
    shown = converted(rgb, form, **options)
    assert shown.getexif()[0x0112] == 6
    assert ImageOps.exif_transpose(shown).size == rgb.size[::-1]
    assert shown.info["icc_profile"] == profile
    assert shown.info["xmp"] == xmp
    if form != "WEBP":
        assert shown.info["dpi"] == pytest.approx((300, 150), abs=0.02)  # PNG counts dots per metre
    if form == "PNG":
        assert shown.info["text"] == {"Title": "Ünï", "parameters": "a prompt"}
    again = roundtrip(shown)
    assert {**again.info, "pico": None} == {**shown.info, "pico": None}
    bare = roundtrip(shown, exif=None, xmp=None, icc_profile=None, text=None, dpi=None)
    assert list(bare.info) == ["pico"]


def test_metadata_behind_a_pngs_pixels_is_kept(rgb):
    out = io.BytesIO()
    rgb.save(out, "PNG")
    data, extra = out.getvalue(), b"tEXtTitle\0late"
    chunk = struct.pack(">I", len(extra) - 4) + extra + struct.pack(">I", zlib.crc32(extra))
    image = Image.open(io.BytesIO(data[:-12] + chunk + data[-12:]))
    assert roundtrip(image).info["text"] == {"Title": "late"}


def test_exif_that_imagemagick_put_into_png_text(rgb):
    exif = Image.Exif()
    exif[0x0112] = 8
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n")
    shown = converted(rgb, "PNG", pnginfo=info)
    assert shown.getexif()[0x0112] == 8
    assert "text" not in shown.info


def test_what_a_tiff_file_says_is_kept_as_exif(rgb):
    """But not how it stores its pixels; and Pillow has applied its orientation."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a cup", 6
    exif.get_ifd(0x8769)[0x9003] = "2026:11:28 07:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    rgb.save(out, "TIFF", exif=exif.tobytes(), dpi=(300, 300))
    found = roundtrip(Image.open(out))
    tags = found.getexif()
    assert found.size == rgb.size[::-1]
    assert tags[0x010E] == "a cup"
    assert tags.get_ifd(0x8769)[0x9003] == "2026:11:28 07:00:00"
    assert tags.get_ifd(0x8825)[1] == "N"
    assert set(tags) == {0x010E, 0x8769, 0x8825}
    assert found.info["dpi"] == (300, 300)
    assert "text" not in found.info
    assert "exif" not in converted(rgb, "TIFF").info


@pytest.mark.parametrize("form", ["JPEG", "GIF"])
def test_comments_are_kept(rgb, form):
    assert converted(rgb, form, comment="caf\u00e9".encode("latin-1")).info["text"] == {"comment": "caf\u00e9"}


def test_what_an_image_says_and_a_file_cannot_hold_does_not_block_the_picture(rgb):
    """It was not asked for: it is left out, with a warning. What was asked for is an error."""
    wrong = {"xmp": bytes(33 << 20), "exif": 5, "icc_profile": [1], "cicp": b"abc", "text": {"a\0b": "c", "d": 1}}
    for name, value in wrong.items():
        image = rgb.copy()
        image.info |= {"Title": "kept", name: value}
        with pytest.warns(UserWarning, match=f"{name} of the image is not written"):
            shown = roundtrip(image)
        assert {**shown.info, "pico": None} == {"text": {"Title": "kept"}, "pico": None}
        with pytest.raises((TypeError, ValueError)):
            roundtrip(rgb, **{name: value})
    image = rgb.copy()
    image.info |= {"xmp": bytes(20 << 20), "exif": bytes(10 << 20), "Title": "a" * (5 << 20)}
    with pytest.warns(UserWarning, match="text of the image is not written: metadata of"):
        shown = roundtrip(image)
    assert len(shown.info["xmp"]) == 20 << 20
    for odd in ("\ud800", np.array([1, 2]), object()):
        for name in ("exif", "xmp", "icc_profile", "cicp", "dpi", "text", "XML:com.adobe.xmp"):
            image.info = {name: odd}
            with warnings.catch_warnings(record=True):
                assert roundtrip(image).size == rgb.size
    for dpi in ((0, 0), (float("nan"), 72), 300, "72", None):
        image = rgb.copy()
        image.info["dpi"] = dpi
        assert "dpi" not in roundtrip(image).info
        if dpi is not None:
            with pytest.raises(ValueError, match="dpi must be"):
                roundtrip(rgb, dpi=dpi)
    assert roundtrip(rgb, dpi=(72, 96.5)).info["dpi"] == (72, 96.5)


def test_cicp_is_kept_while_it_holds(rgb):
    rgb.info["cicp"] = bytes([9, 16, 0, 1])
    assert roundtrip(rgb).info["cicp"] == bytes([9, 16, 0, 1])
    assert "cicp" not in roundtrip(rgb, cicp=None).info
    other = rgb.convert("YCbCr")
    assert "cicp" not in roundtrip(other).info


@pytest.mark.parametrize(
    ("mode", "key"),
    [
        *(("L", key) for key in (b"\0", 300, -1, 5.0, "x", (1, 2, 3))),
        *(("RGB", key) for key in (5, b"\0\1", (1, 2), (1, 2, 300), (1.0, 2.0, 3.0))),
        *(("P", key) for key in (300, "x", (1, 2, 3))),
    ],
)
def test_a_transparent_colour_that_cannot_be_one_is_named(rgb, mode, key):
    image = rgb.convert(mode)
    image.info["transparency"] = key
    with pytest.raises(ValueError, match=rf"transparency.*mode {mode} cannot have"):
        roundtrip(image)


def test_a_transparent_colour_where_it_means_nothing(rgb):
    for mode, key in (("L", None), ("RGB", None), ("CMYK", 5), ("YCbCr", b"x")):
        image = rgb.convert(mode)
        image.info["transparency"] = key
        assert roundtrip(image).mode in ("L", "RGB")
    image = rgb.convert("RGBA")
    image.info["transparency"] = "x"
    assert roundtrip(image).mode == "RGBA"


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


@pytest.mark.parametrize(
    "option",
    [
        {"lossless": True},
        {"distance": 0},
        {"transparency": 0},
        {"bits": 16},
        {"bit_depth": 10},
    ],
)
def test_options_that_ask_for_another_picture_are_refused(rgb, option):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}="):
        roundtrip(rgb, **option)
    for several in ({"save_all": True}, {"append_images": [rgb]}):
        with pytest.raises(ValueError, match=f"{next(iter(several))}=.*holds one image"):
            pillow_plugin.save(rgb, io.BytesIO(), **several)
    harmless = dict(lossless=False, distance=None, transparency=None, append_images=[], bits=8)
    assert roundtrip(rgb, **harmless).size == rgb.size


def test_animations_are_refused_with_their_count(tmp_path, rgb):
    gif, path = tmp_path / "a.gif", tmp_path / "a.pico"
    rgb.save(gif, save_all=True, append_images=[rgb.rotate(90), rgb.rotate(180)])
    with (
        Image.open(gif) as animation,
        pytest.raises(ValueError, match=r"save_all=True of 3 images: .* holds one image"),
    ):
        animation.save(path, save_all=True)
    with pytest.raises(ValueError, match="2 images"):
        rgb.save(path, append_images=[rgb])
    assert not path.exists()
    rgb.save(path, save_all=True)
    with Image.open(path) as image:
        assert image.size == rgb.size


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
