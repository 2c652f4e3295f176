"""What travels with a picture, there and back by the command line."""

import io

import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pico_plugins.cli import main


@pytest.fixture
def png(tmp_path):
    path, exif, info = tmp_path / "a.png", Image.Exif(), PngInfo()
    exif[0x0112] = 6
    info.add_text("Title", "a cup")
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    Image.new("RGB", (64, 48), "red").save(path, dpi=(300, 300), exif=exif, pnginfo=info)
    return path


def run(*arguments) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_there_and_back(png, tmp_path, suffix):
    run("encode", png)
    back = tmp_path / f"back.{suffix}"
    run("decode", tmp_path / "a.pico", "-o", back)
    with Image.open(back) as image:
        image.load()
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)
        if suffix != "tif":  # Pillow turns those itself, and writes no XMP
            assert image.getexif()[0x0112] == 6
            assert image.info["xmp"] in (b"<x/>", "<x/>")
        if suffix == "png":
            assert image.text["Title"] == "a cup"


def test_strip(png, tmp_path):
    run("encode", "--strip", png)
    with Image.open(io.BytesIO((tmp_path / "a.pico").read_bytes())) as image:
        assert set(image.info) == {"dpi", "pico"}
