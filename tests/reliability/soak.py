"""Many varied images there and back through Pillow: ``python -m tests.reliability.soak --count 500 [IMAGES...]``.

Every mode that can be written, 1 x 1 to 24 megapixels, odd sizes, extreme shapes, flat, noise, text, photos. Folders
and files given are photos and screenshots to cut pieces from; without any, the shipped photo serves. Exit status 1 if
one image does not come back as it should.
"""

from __future__ import annotations

import collections
import io
import random
import sys
import time
import traceback
import warnings
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw

import pillow_plugin  # noqa: F401  (registers .pico)
from tests.conftest import PHOTO

MODES = {
    # Mode -> what comes back.
    "1": "L",
    "L": "L",
    "RGB": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "P": "RGB",
    "I;16": "L",
    "LA": "RGBA",
    "La": "RGBA",
    "PA": "RGBA",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "P, one colour transparent": "RGBA",
}
LARGE = ((4000, 3000), (6000, 4000), (12000, 2000), (3000, 8000))
CONTENTS = ("photo", "photo", "photo", "noise", "black", "white", "flat", "gradient", "text", "squares")


def size(source: random.Random) -> tuple[int, int]:
    """Width and height, up to about a megapixel."""
    match source.randrange(6):
        case 0:
            return source.randint(1, 9), source.randint(1, 9)
        case 1:
            thin = source.randint(1, 5), source.randint(500, 5000)
            return thin if source.random() < 0.5 else thin[::-1]
        case 2:
            near = source.choice((64, 128, 504, 512, 1016, 1024))
            return near + source.randint(-9, 9), source.randint(1, 300)
        case 3:
            return source.randint(600, 1300), source.randint(600, 1100)
        case _:
            return source.randint(10, 400), source.randint(10, 400)


def picture(content: str, width: int, height: int, photos: list[Path], source: random.Random) -> Image.Image:
    """An RGB image."""
    numbers = np.random.default_rng(source.getrandbits(32))
    if content == "photo":
        with Image.open(source.choice(photos)) as image:
            left, top = (
                source.randint(0, max(0, have - want)) for have, want in zip(image.size, (width, height), strict=True)
            )
            piece = image.convert("RGB").crop(
                (left, top, min(left + width, image.width), min(top + height, image.height))
            )
            return piece.resize((width, height)) if piece.size != (width, height) else piece
    if content == "noise":
        return Image.fromarray(numbers.integers(0, 256, (height, width, 3), np.uint8))
    if content == "gradient":
        down, across = np.linspace(0, 255, height)[:, None], np.linspace(0, 255, width)[None]
        return Image.fromarray(np.dstack([down + 0 * across, across + 0 * down, (down + across) / 2]).astype(np.uint8))
    if content == "squares":
        odd = np.add.outer(np.arange(height) // 3, np.arange(width) // 3) % 2
        return Image.fromarray((odd * 255).astype(np.uint8)).convert("RGB")
    colours = {"black": (0, 0, 0), "white": (255, 255, 255), "text": (250, 250, 250)}
    image = Image.new("RGB", (width, height), colours.get(content, tuple(numbers.integers(0, 256, 3).tolist())))
    if content == "text":
        draw = ImageDraw.Draw(image)
        for line in range(0, min(height, 2000), 14):
            draw.text((3, line), f"{line:04d} File  Edit  View  Help " * 8, fill=(20, 20, 60))
    return image


def in_mode(image: Image.Image, mode: str, source: random.Random) -> Image.Image:
    """``image`` converted; with an alpha of several values where the mode has one."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    if mode == "P, one colour transparent":
        image = image.quantize(16)
        image.info["transparency"] = source.randrange(16)
        return image
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        alpha = Image.linear_gradient("L").resize(image.size)
        if source.random() < 0.3:
            alpha = alpha.point(lambda value: 255 if value > 100 else 0)
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, mode))
        image.putalpha(alpha)
    return image.convert(mode) if image.mode != mode else image


def there_and_back(image: Image.Image, expected_mode: str, quality: int) -> None:
    """Raises ``AssertionError`` unless the image comes back: mode, size, alpha, and about the same picture."""
    from pillow_plugin.modes import to_codec_mode

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 16 bits are scaled down
        file = io.BytesIO()
        image.save(file, "PICO", quality=quality)
        wanted = to_codec_mode(image)
    with Image.open(io.BytesIO(file.getvalue())) as opened:
        assert (opened.format, opened.mode, opened.size) == ("PICO", expected_mode, image.size)
        png = io.BytesIO()
        opened.save(png, "PNG", compress_level=1)
    with Image.open(png) as back:
        assert (back.mode, back.size) == (expected_mode, image.size)
        shown, original = np.asarray(back), np.asarray(wanted)
    if expected_mode == "RGBA":
        assert np.array_equal(shown[..., 3], original[..., 3]), "alpha differs"
        shown, original = shown[..., :3], original[..., :3]
    error = np.abs(shown.astype(np.int16) - original).mean()
    flat = np.abs(original - original.mean((0, 1))).mean()
    # No test of quality: few pixels of a strong colour are allowed to be far off when quality is low.
    assert error < flat + 32, f"off by {error:.1f} levels, where one flat colour is off by {flat:.1f}"


def images_in(paths: tuple[Path, ...]) -> list[Path]:
    """The image files among ``paths`` and in folders among them."""
    kinds = {".png", ".jpg", ".jpeg"}
    found = [path for path in paths if path.is_file()]
    for folder in paths:
        found += [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds]
    return found or [PHOTO]


@click.command(help=__doc__)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--count", default=500, show_default=True)
@click.option("--large", default=4, show_default=True, help="How many of them have 12 to 24 megapixels.")
@click.option("--seed", default=0, show_default=True)
def main(paths: tuple[Path, ...], count: int, large: int, seed: int) -> None:
    """See the module."""
    source, photos = random.Random(seed), images_in(paths)
    failures, pixels, start = 0, 0, time.monotonic()
    seen: collections.Counter[str] = collections.Counter()
    for number in range(count):
        mode = list(MODES)[number % len(MODES)]
        if number < large:
            mode, (width, height) = ("RGB", "L", "RGBA", "RGB")[number % 4], LARGE[number % 4]
        else:
            width, height = size(source)
        content, quality = source.choice(CONTENTS), source.randint(1, 100)
        try:
            picked = picture(content, width, height, photos, source)
            there_and_back(in_mode(picked, mode, source), MODES[mode], quality)
        except Exception:
            failures += 1
            print(f"FAILED: number {number}, {content}, {mode}, {width} x {height}, quality {quality}")
            traceback.print_exc()
        seen[mode] += 1
        pixels += width * height
    took = time.monotonic() - start
    print(f"{count} images, {len(seen)} modes, {len(photos)} sources, {pixels / 1e6:.0f} megapixels in {took:.0f} s")
    print(f"failures: {failures or 'none'}")
    sys.exit(min(failures, 1))


if __name__ == "__main__":
    main()
