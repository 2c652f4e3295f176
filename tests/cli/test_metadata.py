"""Decoding: a picture is written whatever its metadata, and nothing is left out or lost without a word."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import pico_plugins
from pico_plugins.cli.formats import save_options
from tests.cli.conftest import pico
from tests.conftest import psnr

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 3, maker_note: int = 0) -> bytes:
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010E] = "a cup"
    if maker_note:
        found.get_ifd(0x8769)[0x927C] = bytes(maker_note)
    return found.tobytes()


@pytest.fixture
def coded(tmp_path, patch):
    """Writes a.pico with metadata."""

    def write(pixels=patch, **metadata):
        pico_plugins.encode_file(tmp_path / "a.pico", pixels, 90, metadata=pico_plugins.Metadata(**metadata))
        return tmp_path / "a.pico"

    return write


@pytest.mark.parametrize("suffix", ["jpg", "tif", "avif", "png", "webp", "mpo"])
def test_what_formats_hold_is_kept(coded, suffix):
    path = coded(exif=exif(1), icc_profile=SRGB, xmp=b"<x/>")
    result = pico("decode", path, "--to", suffix)
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(path.with_suffix(f".{suffix}")) as image:
        assert image.getexif()[0x010E] == "a cup"
        assert image.info["icc_profile"] == SRGB
        assert b"<x/>" in (image.tag_v2[700] if suffix == "tif" else image.info["xmp"])


@pytest.mark.parametrize("suffix", ["jpg", "tif", "avif", "png", "webp", "bmp"])
@pytest.mark.parametrize(
    "metadata",
    [
        {"exif": exif(1, maker_note=200_000)},
        {"exif": b"\xff" * 50},
        {"exif": b"II"},
        {"xmp": b"<x>" + b"a" * 200_000 + b"</x>"},
        {"xmp": b"\xff\xfe"},
        {"icc_profile": b"no profile"},
        {"text": {"\u03bb" * 90: "a long keyword, and not Latin"}},
    ],
    ids=["large Exif", "broken Exif", "short Exif", "large XMP", "broken XMP", "broken profile", "odd text"],
)
def test_metadata_never_blocks_the_picture(coded, patch, suffix, metadata):
    path = coded(**metadata)
    result = pico("decode", path, "--to", suffix)
    assert result.exit_code == 0, result.output
    with Image.open(path.with_suffix(f".{suffix}")) as image:
        assert psnr(patch, np.asarray(image.convert("RGB"))) > 30


def test_what_is_left_out_is_named(coded):
    path = coded(exif=exif(1, maker_note=200_000), xmp=b"a" * 200_000, icc_profile=SRGB, text={"Title": "x"})
    result = pico("decode", path, "--to", "jpg")
    assert result.stderr == f"{path}: warning: JPEG cannot hold what is left out: Exif, XMP, text 'Title'\n"
    assert "ICC profile" in pico("decode", path, "--to", "bmp").stderr
    assert pico("decode", path, "--to", "png").stderr == ""


def test_exif_does_not_change_the_layout_of_a_tiff(coded, patch):
    """Editors leave the tags of the file that they opened, sizes included, in the Exif of the one that they wrote."""
    strange = Image.Exif()
    strange.update({256: 10, 257: 10, 258: 16, 262: 1, 277: 1, 338: 2, 339: 3, 320: (1, 2, 3), 0x010E: "a cup"})
    path = coded(exif=strange.tobytes())
    result = pico("decode", path, "--to", "tif")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(path.with_suffix(".tif")) as image:
        assert psnr(patch, np.asarray(image)) > 30
        assert image.getexif()[0x010E] == "a cup"


@pytest.mark.parametrize("suffix", ["bmp", "jpg"])
def test_a_picture_that_loses_its_exif_is_turned_upright(coded, patch, suffix):
    path = coded(exif=exif(6, maker_note=200_000))
    assert pico("decode", path, "--to", suffix).exit_code == 0
    with Image.open(path.with_suffix(f".{suffix}")) as image:
        assert psnr(np.rot90(patch, -1), np.asarray(image)) > 30


def test_strip(coded, patch):
    path = coded(exif=exif(6), xmp=b"<x/>", icc_profile=SRGB, text={"Title": "x"})
    result = pico("decode", path, "--strip")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(path.with_suffix(".png")) as image:
        assert set(image.info) == {"icc_profile"}
        assert not image.getexif()
        assert psnr(np.rot90(patch, -1), np.asarray(image)) > 30


def test_text_that_png_cannot_hold_does_not_take_the_rest_with_it(coded):
    path = coded(text={"Title": "a cup", "\u03bb": "not Latin"})
    assert "'\u03bb'" in pico("decode", path).stderr
    assert Image.open(path.with_suffix(".png")).info["Title"] == "a cup"


def test_quality_and_subsampling(coded, tmp_path):
    path = coded()

    def decoded(*options):
        assert pico("decode", path, "-f", "--to", "jpg", *options).exit_code == 0
        with Image.open(path.with_suffix(".jpg")) as image:
            return image.quantization, image.layer[0][1:3]

    def tables(quality):
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, "JPEG", quality=quality)
        return Image.open(out).quantization

    assert decoded() == (tables(95), (1, 1))
    assert decoded("-q", 30) == (tables(30), (1, 1))
    assert decoded("--subsampling", "4:2:0") == (tables(95), (2, 2))
    assert decoded("--subsampling", "4:2:2") == (tables(95), (2, 1))
    sizes = {}
    for suffix in ("webp", "avif", "pdf"):
        for quality in (20, 90):
            assert pico("decode", path, "-f", "--to", suffix, "-q", quality).exit_code == 0
            sizes[quality] = path.with_suffix(f".{suffix}").stat().st_size
        assert sizes[20] < 0.7 * sizes[90], suffix
    assert "PNG has none" in pico("decode", path, "-q", 30).stderr
    assert "WEBP has none" in pico("decode", path, "-f", "--to", "webp", "--subsampling", "4:2:0").stderr


def test_gray_stays_gray_in_jpeg(coded, patch):
    path = coded(patch[..., 1])
    assert pico("decode", path, "--to", "jpg", "--subsampling", "4:2:0").exit_code == 0
    assert Image.open(path.with_suffix(".jpg")).mode == "L"


def test_formats_that_hold_less_than_the_picture_are_refused(coded, patch):
    path = coded()
    assert "256 colours" in pico("decode", path, "--to", "gif").stderr
    assert "icons" in pico("decode", path, "--to", "ico").stderr
    path = coded(np.dstack([patch, patch[..., :1]]))
    for suffix in ("bmp", "ppm", "jpg", "pcx", "mpo"):
        result = pico("decode", path, "--to", suffix)
        assert result.exit_code == 1
        assert "decode to another format" in result.stderr
        assert not path.with_suffix(f".{suffix}").exists()


def test_sides_that_are_too_long_for_a_format(tmp_path):
    path = tmp_path / "a.pico"
    pico_plugins.encode_file(path, np.zeros((70, 66_000), np.uint8))
    for suffix, longest in (("jpg", 65500), ("webp", 16383), ("avif", 65536), ("tga", 65535), ("sgi", 65535)):
        result = pico("decode", path, "--to", suffix)
        assert result.exit_code == 1
        assert f"sides of at most {longest} pixels: decode to another format" in result.stderr
    assert pico("decode", path, "--to", "jpg", "--scale", "1/8").exit_code == 0
    assert Image.open(tmp_path / "a.jpg").size == (8250, 9)


def test_to_and_output_must_agree(coded, tmp_path):
    path = coded()
    assert "--to jpg" in pico("decode", path, "--to", "jpg", "-o", tmp_path / "b.png").stderr
    assert pico("decode", path, "--to", "jpeg", "-o", tmp_path / "b.jpg").exit_code == 0
    assert pico("decode", path, "--authenticity", tmp_path / "b.png", "--strip").exit_code == 2


def test_resolution_and_comments_are_kept(tmp_path, patch):
    Image.fromarray(patch).save(tmp_path / "a.jpg", dpi=(300, 300), comment="a cup")
    assert pico("encode", tmp_path / "a.jpg").exit_code == 0
    for suffix in ("jpeg", "png", "tif", "bmp"):
        assert pico("decode", tmp_path / "a.pico", "--to", suffix).exit_code == 0
        with Image.open(tmp_path / f"a.{suffix}") as image:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            if suffix in ("jpeg", "png"):
                assert image.info["comment"] in ("a cup", b"a cup")
    assert "text 'comment'" in pico("decode", tmp_path / "a.pico", "--to", "webp").stderr


def test_pieces_become_the_options_that_pillow_knows():
    assert save_options("JPEG", [("exif", b"e"), ("xmp", b"x")]) == {"exif": b"e", "xmp": b"x"}
    tags = save_options("TIFF", [("exif", exif()), ("xmp", b"x")])["exif"]
    assert (tags[0x010E], tags[700]) == ("a cup", b"x")


def test_the_map_of_a_picture_is_turned_as_the_picture_is(coded, patch, tmp_path):
    path = coded(exif=exif(6))
    assert pico("decode", path, "--authenticity", tmp_path / "map.png").exit_code == 0
    expected = np.rint(255 * pico_plugins.authenticity_map(path)).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "map.png")), np.rot90(expected, -1))


@pytest.fixture
def png(tmp_path):
    path, info = tmp_path / "a.png", PngInfo()
    info.add_text("Title", "a cup")
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    Image.new("RGB", (64, 48), "red").save(path, dpi=(300, 300), exif=exif(6), pnginfo=info)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_there_and_back(png, tmp_path, suffix):
    assert pico("encode", png).exit_code == 0
    back = tmp_path / f"back.{suffix}"
    assert pico("decode", tmp_path / "a.pico", "-o", back).exit_code == 0
    with Image.open(back) as image:
        image.load()
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)
        assert image.info["xmp"] in (b"<x/>", "<x/>")
        assert suffix == "tif" or image.getexif()[0x0112] == 6  # Pillow turns those itself
        assert suffix != "png" or image.text["Title"] == "a cup"


def test_strip_when_encoding(png, tmp_path):
    assert pico("encode", "--strip", png).exit_code == 0
    with Image.open(tmp_path / "a.pico") as image:
        assert set(image.info) == {"dpi", "pico"}
        assert image.size == (48, 64)
