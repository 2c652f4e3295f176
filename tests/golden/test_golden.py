"""Files that were written once must decode to the same symbols for ever, and to the same pixels within one level."""

import json

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from tests.golden.make import images
from tests.golden.symbols import FOLDER, symbols_hash

HASHES = json.loads((FOLDER / "symbols.json").read_text())


def test_every_golden_file_is_listed():
    assert set(HASHES) == {path.stem for path in FOLDER.glob("*.pico")} == set(images())


@pytest.mark.parametrize("name", HASHES)
def test_symbols(name):
    assert symbols_hash((FOLDER / f"{name}.pico").read_bytes()) == HASHES[name]


@pytest.mark.parametrize("name", HASHES)
def test_pixels(name):
    shown = pico_plugins.decode(FOLDER / f"{name}.pico")
    with Image.open(FOLDER / f"{name}.png") as image:
        expected = np.asarray(image)
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).max() <= 1
    if shown.shape[2:] == (4,):
        assert np.array_equal(shown[..., 3], expected[..., 3])


def test_metadata():
    metadata = pico_plugins.read_header(FOLDER / "rgba-tiles.pico").metadata
    assert metadata.text == {"Title": "golden"}
    assert metadata.exif.startswith(b"MM")
