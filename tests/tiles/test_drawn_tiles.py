"""Drawn tiles are coded without loss where the model's error is worth more bits than that costs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import pico_plugins
from pico_plugins.format.tile_kind import LOSSLESS
from pico_plugins.quality import quality_of_level
from pico_plugins.tiles import codec
from pico_plugins.tiles.model import Model
from tests.core.test_fidelity import first_bytes


@pytest.fixture(scope="module")
def letters():
    """Five lines of text, no two characters in the same places."""
    image = Image.new("RGB", (256, 192), "white")
    for line in range(5):
        text = "".join(chr(33 + (line * 37 + place * place * 7) % 90) for place in range(38))
        ImageDraw.Draw(image).text((4, 4 + 20 * line), text, fill=(20, 40, 90))
    return np.asarray(image)


@pytest.mark.parametrize("gray", [False, True])
def test_the_better_of_both_is_taken(letters, gray, monkeypatch):
    """Bits + lambda x squared error, with the trained lambda, of whole files made either way."""
    pixels = letters[:, :, 0] if gray else letters
    exact = len(pico_plugins.encode(pixels, 100))
    chosen = []
    for level in (0, 32, 64, 96, 128):
        quality = quality_of_level(level)
        data = pico_plugins.encode(pixels, quality)
        with monkeypatch.context() as patch:
            patch.setattr(codec, "looks_drawn", lambda pixels: False)
            lossy = pico_plugins.encode(pixels, quality)
        error = np.mean((pico_plugins.decode(lossy).astype(float) - pixels) ** 2)
        worth = 0.0003 * (0.25 / 0.0003) ** (level / 224) * error * 256 * 192 / 8
        better = len(lossy) + worth < exact
        assert data == lossy if better else np.array_equal(pico_plugins.decode(data), pixels)
        chosen.append(better)
    assert chosen == sorted(chosen, reverse=True)  # the better the quality, the more an error is worth
    assert chosen[0] and not chosen[-1]


def test_more_bits_are_spent_for_being_exact(letters, monkeypatch):
    data = pico_plugins.encode(letters, quality_of_level(64))
    assert first_bytes(data) == [LOSSLESS]
    monkeypatch.setattr(codec, "looks_drawn", lambda pixels: False)
    lossy = pico_plugins.encode(letters, quality_of_level(64))
    assert len(lossy) < 0.7 * len(data)


def test_photos_are_not_decoded_for_it(photo, monkeypatch):
    monkeypatch.setattr(Model, "decode_window", None)
    assert first_bytes(pico_plugins.encode(photo[:128, :128], 75)) != [LOSSLESS]


def test_what_looks_drawn(letters, photo):
    sky = np.full((192, 256, 3), 200, np.uint8)
    sky[:, ::5] += 1  # most pixels equal their neighbour here too, but the others nearly do
    assert codec.looks_drawn(letters)
    assert not codec.looks_drawn(sky)
    assert not codec.looks_drawn(photo)
    assert not codec.looks_drawn(letters[:, :1])  # no neighbours
