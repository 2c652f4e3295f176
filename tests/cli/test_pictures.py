"""Which of a file's pictures are coded, and in how many bits: never fewer without a word."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

import pico_plugins
from pico_plugins.cli.pictures import bits, frames, opened
from tests.cli.conftest import pico
from tests.conftest import psnr

COLOURS = ("red", "lime", "blue")


def animation(path):
    first, *others = (Image.new("RGB", (64, 48), colour) for colour in COLOURS)
    first.save(path, save_all=True, append_images=others)
    return path


def colour_of(path):
    return tuple(pico_plugins.decode(path)[0, 0, :3])


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.png", "a.webp", "a.avif", "a.mpo"])
def test_several_frames_are_refused_with_their_number(tmp_path, name):
    path = animation(tmp_path / name)
    result = pico("encode", path)
    assert result.exit_code == 1
    assert "has 3 frames" in result.stderr
    assert "--frame" in result.stderr
    assert "--all-frames" in result.stderr
    assert not (tmp_path / "a.pico").exists()


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.webp"])
def test_one_frame_can_be_chosen(tmp_path, name):
    path = animation(tmp_path / name)
    assert pico("encode", path, "--frame", 2).exit_code == 0
    assert np.argmax(colour_of(tmp_path / "a.pico")) == 1
    assert "no frame 4" in pico("encode", path, "--frame", 4, "-o", tmp_path / "b.pico").stderr
    assert pico("encode", path, "--frame", 1, "--all-frames").exit_code == 2
    assert pico("encode", path, "--frame", 0).exit_code == 2


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.png"])
def test_all_frames_become_numbered_files(tmp_path, name):
    path = animation(tmp_path / name)
    result = pico("encode", path, "--all-frames", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a-1.pico", "a-2.pico", "a-3.pico"]
    for number in range(3):
        assert np.argmax(colour_of(tmp_path / "out" / f"a-{number + 1}.pico")) == number
    assert pico("encode", path, "--all-frames", "-o", tmp_path / "b.pico").exit_code == 0
    assert (tmp_path / "b-3.pico").exists()


def test_numbers_sort_as_they_count(tmp_path):
    first, *others = (Image.new("L", (32, 32), shade) for shade in range(0, 250, 23))
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    assert pico("encode", tmp_path / "a.tif", "--all-frames").exit_code == 0
    assert (tmp_path / "a-01.pico").exists()
    assert (tmp_path / "a-11.pico").exists()


def test_options_for_frames_do_not_change_single_pictures(pictures):
    assert pico("encode", pictures / "two.png").exit_code == 0
    before = (pictures / "two.pico").read_bytes()
    for option in (("--all-frames",), ("--frame", 1)):
        assert pico("encode", pictures / "two.png", "-f", *option).exit_code == 0
        assert (pictures / "two.pico").read_bytes() == before


def test_smaller_copies_are_no_frames(tmp_path, patch):
    """Pyramids, and the previews that cameras put beside a photo."""
    photo, small = Image.fromarray(patch), Image.fromarray(patch).reduce(4)
    reduced = ImageFileDirectory_v2()
    reduced[254] = 1
    pages = io.BytesIO()
    photo.save(pages, "TIFF", save_all=True, append_images=[small])
    with Image.open(pages) as image:
        assert frames(image) == [0, 1]
    small.encoderinfo = {"tiffinfo": reduced}
    pages = io.BytesIO()
    photo.save(pages, "TIFF", save_all=True, append_images=[small])
    with Image.open(pages) as image:
        assert frames(image) == [0]
    both = io.BytesIO()
    photo.save(both, "MPO", save_all=True, append_images=[small])
    data = both.getvalue()
    undefined = data.index(struct.pack("<L", 0x030000)) + 16  # the second entry, 16 bytes after the first
    preview = data[:undefined] + struct.pack("<L", 0x010001) + data[undefined + 4 :]
    with Image.open(io.BytesIO(data)) as image:
        assert frames(image) == [0, 1]
    with Image.open(io.BytesIO(preview)) as image:
        assert frames(image) == [0]


def test_a_psd_is_its_composite(tmp_path):
    """Layers are what it is made of."""
    layers = b"".join(
        struct.pack(">4iH", 0, 0, 8, 8, 3)  # the rectangle, three channels: their kinds, their lengths
        + b"".join(struct.pack(">hI", channel, 66) for channel in range(3))
        + b"8BIMnorm\xff\0\0\0"
        + struct.pack(">I", 0)
        for _ in range(2)
    )
    data = b"".join((b"\0\0" + bytes([shade]) * 64) * 3 for shade in (10, 20))
    info = struct.pack(">h", 2) + layers + data
    section = struct.pack(">I", len(info)) + info
    head = b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(8)
    pixels = b"\0\0" + b"\xc8" * 64 + b"\0" * 128  # red
    (tmp_path / "a.psd").write_bytes(head + struct.pack(">I", len(section)) + section + pixels)
    with Image.open(tmp_path / "a.psd") as image:
        assert image.n_frames == 2
    result = pico("encode", tmp_path / "a.psd")
    assert result.exit_code == 0, result.output
    assert colour_of(tmp_path / "a.pico") == (200, 0, 0)


def png16(samples: np.ndarray, transparent: bytes = b"") -> bytes:
    """A PNG of 16 bits, uint16 (H, W) or (H, W, 3), which Pillow cannot write in colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if samples.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    found = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"tRNS", transparent) if transparent else b"")
    return found + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pnm(samples: np.ndarray, top: int) -> bytes:
    kind, (height, width) = 6 if samples.ndim == 3 else 5, samples.shape[:2]
    return f"P{kind} {width} {height} {top}\n".encode() + samples.astype(">u2").tobytes()


def tiff(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "TIFF")
    return out.getvalue()


@pytest.fixture
def deep(patch):
    """Gray and colours of 16 bits, and what they are in 8."""
    colours = patch.astype(np.uint16) * 257
    return colours[..., 1], colours, patch


def test_more_than_eight_bits_are_refused_with_the_way_out(tmp_path, deep):
    gray, colours, _ = deep
    cases = {
        "gray.png": (16, png16(gray)),
        "colour.png": (16, png16(colours)),
        "gray.pgm": (16, pnm(gray, 65535)),
        "colour.ppm": (16, pnm(colours, 65535)),
        "ten.pgm": (10, pnm(gray >> 6, 1023)),
        "gray.tif": (16, tiff(gray)),
    }
    for name, (depth, data) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        result = pico("encode", path, "-o", tmp_path / "a.pico")
        assert result.exit_code == 1, name
        assert f"has {depth} bits a sample" in result.stderr
        assert "--depth 8" in result.stderr
        assert not (tmp_path / "a.pico").exists()


def test_depth_scales(tmp_path, deep):
    gray, colours, patch = deep
    for name, data in {
        "gray.png": png16(gray),
        "colour.png": png16(colours),
        "gray.pgm": pnm(gray, 65535),
        "ten.pgm": pnm(gray >> 6, 1023),
        "colour.ppm": pnm(colours, 65535),
        "gray.tif": tiff(gray),
    }.items():
        (tmp_path / name).write_bytes(data)
        result = pico("encode", tmp_path / name, "--depth", 8, "-q", 95, "-f", "-o", tmp_path / "a.pico")
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        shown = pico_plugins.decode(tmp_path / "a.pico")
        assert psnr(patch if shown.ndim == 3 else patch[..., 1], shown) > 33, name


def test_depth_keeps_transparency(tmp_path, deep):
    gray, colours, _ = deep
    gray = gray.copy()
    gray[:20] = 12345  # near enough to 12336, which stays opaque
    gray[20:40] = 12336
    (tmp_path / "a.png").write_bytes(png16(gray, struct.pack(">H", 12345)))
    assert pico("encode", tmp_path / "a.png", "--depth", 8).exit_code == 0
    alpha = pico_plugins.decode(tmp_path / "a.pico")[..., 3]
    assert not alpha[:20].any()
    assert (alpha[20:] == 255).all()
    (tmp_path / "b.png").write_bytes(png16(colours, struct.pack(">HHH", 1, 2, 3)))
    assert "transparent" in pico("encode", tmp_path / "b.png", "--depth", 8).stderr


def test_what_has_no_range_is_not_scaled(tmp_path):
    for name, dtype in (("int.tif", np.int32), ("float.tif", np.float32)):
        Image.fromarray(np.zeros((9, 9), dtype)).save(tmp_path / name)
        result = pico("encode", tmp_path / name, "--depth", 8)
        assert result.exit_code == 1
        assert "no range" in result.stderr


def test_bits_of_ordinary_files(tmp_path, patch):
    for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.ppm", "a.avif", "a.jp2"):
        Image.fromarray(patch).save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert bits(image) == 8, name


# 64 x 48 pixels of red, by FFmpeg: -c:v libaom-av1 -still-picture 1 -pix_fmt yuv420p10le (yuv420p12le)
AVIF10 = (
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAAD5bWV0YQAAAAAAAAAvaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAFBpY3R1"
    "cmVIYW5kbGVyAAAAAA5waXRtAAAAAAABAAAAHmlsb2MAAAAARAAAAQABAAAAAQAAASEAAAAdAAAAKGlpbmYAAAAAAAEAAAAaaW5mZQIAAAAA"
    "AQAAYXYwMUNvbG9yAAAAAGppcHJwAAAAS2lwY28AAAAUaXNwZQAAAAAAAABAAAAAMAAAABBwaXhpAAAAAAMKCgoAAAAMYXYxQ4EATAAAAAAT"
    "Y29scm5jbHgAAgACAAIAAAAAF2lwbWEAAAAAAAAAAQABBAECgwQAAAAlbWRhdAoGGBV/vbgIMhMYAAAAUAAAAAoFeUHNQ9k6RgIo"
)
AVIF12 = (
    "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAPltZXRhAAAAAAAAAC9oZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAUGljdHVyZUhh"
    "bmRsZXIAAAAADnBpdG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAABHQAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAABAABh"
    "djAxQ29sb3IAAAAAamlwcnAAAABLaXBjbwAAABRpc3BlAAAAAAAAAEAAAAAwAAAAEHBpeGkAAAAAAwwMDAAAAAxhdjFDgUBsAAAAABNjb2xy"
    "bmNseAACAAIAAgAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0CgZYFX+9vGEyExgAAABQAAAACgV5OXzD2TpGAfg="
)


@pytest.mark.parametrize(("coded", "depth"), [(AVIF10, 10), (AVIF12, 12)])
def test_depth_of_avif(tmp_path, coded, depth):
    path = tmp_path / "a.avif"
    path.write_bytes(base64.b64decode(coded))
    assert f"has {depth} bits a sample" in pico("encode", path).stderr
    assert pico("encode", path, "--depth", 8).exit_code == 0
    assert np.abs(pico_plugins.decode(tmp_path / "a.pico").astype(int) - (255, 0, 0)).max() < 9


@pytest.mark.parametrize("name", ["a.jp2", "a.j2k"])
def test_depth_of_colours_in_jpeg_2000(tmp_path, patch, name):
    """In the head of the file another one stands than it was written with: nothing is decoded before that is read."""
    path = tmp_path / name
    Image.fromarray(patch).save(path)
    assert pico("encode", path).exit_code == 0
    data = bytearray(path.read_bytes())
    data[data.index(b"\xff\x4f\xff\x51") + 4 + 41] = 15  # of the second component, less 1
    path.write_bytes(data)
    assert "has 16 bits a sample" in pico("encode", path, "-f").stderr


def test_large_pictures(tmp_path):
    """Pillow refuses from 179 megapixels on, some cameras have more: the limit is the codec's, and can be set."""
    path, limit = tmp_path / "a.png", Image.MAX_IMAGE_PIXELS
    with opened(io.BytesIO(b"P5 16320 12240 255\n")) as image:  # 200 megapixels, not one of which is read
        assert image.size == (16_320, 12_240)
    Image.new("L", (40, 30)).save(path)
    assert pico("encode", path).exit_code == 0
    for command, file, output in (("encode", "a.png", "b.pico"), ("decode", "a.pico", "b.png")):
        arguments = (command, tmp_path / file, "-f", "-o", tmp_path / output, "--max-pixels")
        assert pico(*arguments, 1200).exit_code == 0
        result = pico(*arguments, 1199)
        assert result.exit_code == 1
        assert result.stderr.endswith("has more than 1199 pixels: a higher --max-pixels allows it\n")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_cmyk_is_converted_with_a_warning(tmp_path):
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    result = pico("encode", tmp_path / "a.jpg")
    assert result.exit_code == 0
    assert "CMYK" in result.stderr


def test_bench_and_demo_take_one_picture_of_eight_bits(tmp_path, deep):
    (tmp_path / "deep.png").write_bytes(png16(deep[0]))
    for path in (animation(tmp_path / "a.gif"), tmp_path / "deep.png"):
        for command in ("bench", "demo"):
            result = pico(command, path, "-o", tmp_path / "out")
            assert result.exit_code == 1
            assert path.name in result.stderr


def test_stripping_turns_the_picture_upright(tmp_path, patch):
    """What says how to turn it is left out, so it has to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(patch).save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert pico("encode", tmp_path / "a.jpg", "--strip").exit_code == 0
    assert pico_plugins.read_header(tmp_path / "a.pico").metadata.exif is None
    assert psnr(np.rot90(patch, -1), pico_plugins.decode(tmp_path / "a.pico")) > 25
    Image.fromarray(patch).save(tmp_path / "b.jpg", exif=b"Exif\0\0" + b"\xff" * 50)
    assert pico("encode", tmp_path / "b.jpg", "--strip").exit_code == 0
