"""``fidelity="strict"``: the bound holds everywhere, by more bits or without loss, and the file says so."""

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from pico_plugins.errors import DamagedError
from pico_plugins.fidelity import BLOCK, BOUND, worst_block
from pico_plugins.files import reading
from pico_plugins.format.reader import TileReader
from pico_plugins.format.tile_kind import LOSSLESS, split_tile
from pico_plugins.tiles.model import Model
from tests.golden.make import with_text


def first_bytes(data: bytes) -> list[int]:
    with reading(data) as file:
        reader = TileReader(file)
        return [reader.tile_bytes(number)[0][0] for number in range(len(reader.index))]


@pytest.fixture(scope="module")
def page(photo):
    return with_text(photo[:120, 250:450])


@pytest.mark.parametrize("quality", [10, 75])
def test_the_bound_holds(page, quality):
    normal = pico_plugins.decode(pico_plugins.encode(page, quality, tile=64))
    assert worst_block(page, normal) > BOUND + 2
    data = pico_plugins.encode(page, quality, tile=64, fidelity="strict")
    shown = pico_plugins.decode(data)
    for tile in pico_plugins.read_header(data).grid:  # blocks are counted from each tile's corner
        kept = slice(*tile.rows), slice(*tile.columns)
        assert worst_block(page[kept], shown[kept]) <= BOUND
    kinds = first_bytes(data)
    level = pico_plugins.read_header(data).level
    assert LOSSLESS in kinds  # the text
    assert all(kind == LOSSLESS or (kind >= level and (kind - level) % 32 == 0) for kind in kinds)
    assert len(set(kinds)) > 1


@pytest.mark.parametrize(("colour", "tile"), [(1, 64), (2, 96)])
def test_the_bound_holds_for_gray(photo, colour, tile):
    plane = photo[..., colour]
    shown = pico_plugins.decode(data := pico_plugins.encode(plane, 60, tile=tile, fidelity="strict"))
    for part in pico_plugins.read_header(data).grid:
        kept = slice(*part.rows), slice(*part.columns)
        assert worst_block(plane[kept][..., None], shown[kept][..., None]) <= BOUND


def test_gray_is_checked_as_it_is_shown(photo, monkeypatch):
    """Colours off by 11, 12 and 12 are 11.7 off together; their mean, rounded, is off by 12."""
    plane = (photo[:100, :100, 0] // 2).astype(np.uint8)

    def decode_window(self, tile, shape, level, realism, reduction=1):
        shown = np.zeros((*shape, 3), np.uint8)
        shown[:100, :100] = plane[..., None] + np.array([11, 12, 12], np.uint8)
        return shown

    monkeypatch.setattr(Model, "decode_window", decode_window)
    assert first_bytes(pico_plugins.encode(plane, 60, fidelity="strict")) == [LOSSLESS]
    assert first_bytes(pico_plugins.encode(np.dstack([plane] * 3), 60, fidelity="strict")) != [LOSSLESS]


def test_another_backend_may_round_elsewhere(page):
    """The encoder keeps something in hand: a pixel in sixteen shown a level off does not break the promise."""
    shown = pico_plugins.decode(data := pico_plugins.encode(page, 60, tile=64, fidelity="strict")).astype(np.int16)
    shown.reshape(-1)[::16] += 1
    for part in pico_plugins.read_header(data).grid:
        kept = slice(*part.rows), slice(*part.columns)
        assert worst_block(page[kept], shown[kept]) <= BOUND


def test_worst_block_is_the_worst_block():
    a = np.zeros((20, 30, 3), np.uint8)
    b = a.copy()
    b[16:20, 24:30] = 10  # cut off by both edges: as if it went on
    b[:BLOCK, :BLOCK, 1] = 9
    assert worst_block(a, b) == pytest.approx(10)
    assert worst_block(a, a) == 0


def test_what_is_good_enough_already_stays_as_it_is(photo):
    smooth = np.asarray(Image.fromarray(photo[:64, :64]).resize((512, 512), Image.Resampling.BICUBIC))
    strict, normal = (pico_plugins.encode(smooth, 75, fidelity=fidelity) for fidelity in ("strict", "normal"))
    assert len(strict) == len(normal)
    assert np.array_equal(pico_plugins.decode(strict), pico_plugins.decode(normal))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_lossless_tiles_are_exact_in_every_mode(page, mode):
    image = np.asarray(Image.fromarray(page).convert(mode))[:64, :64]
    if mode == "RGBA":
        image = image.copy()
        image[..., 3] = np.arange(64)[:, None] * 4
    data = pico_plugins.encode(image, fidelity="strict")
    assert first_bytes(data) == [LOSSLESS]
    assert np.array_equal(pico_plugins.decode(data), image)


def test_smaller_images_and_regions(page):
    data = pico_plugins.encode(page, 30, tile=64, fidelity="strict")
    whole = pico_plugins.decode(data)
    assert np.array_equal(pico_plugins.decode_region(data, (30, 10, 140, 90)), whole[10:90, 30:140])
    half = pico_plugins.decode(data, scale=1 / 2)
    assert half.shape == (60, 100, 3)
    averages = whole.astype(int).reshape(60, 2, 100, 2, 3).mean((1, 3))
    assert np.abs(half - averages).mean() < 2
    assert np.array_equal(half[:30, :30], np.floor(averages[:30, :30] + 0.5))  # inside a lossless tile


def test_the_file_says_so_and_nothing_is_invented(page):
    header = pico_plugins.read_header(pico_plugins.encode(page, realism=1.0, fidelity="strict"))
    assert header.fidelity == header.info()["pico"]["fidelity"] == "strict"
    assert pico_plugins.read_header(pico_plugins.encode(page)).fidelity == "normal"


def test_strict_files_ignore_realism(page, monkeypatch):
    data = pico_plugins.encode(page, realism=1.0, fidelity="strict")
    asked = []
    real = Model.decode_window

    def decode_window(self, tile, shape, level, realism, reduction=1):
        asked.append(realism)
        return real(self, tile, shape, level, realism, reduction)

    monkeypatch.setattr(Model, "decode_window", decode_window)
    photo_only = pico_plugins.encode(page[:, 100:], realism=1.0, fidelity="strict")
    for realism in (None, 1.0):
        pico_plugins.decode(data, realism=realism)
        pico_plugins.decode(photo_only, realism=realism)
    assert set(asked) == {0.0}


@pytest.mark.parametrize("fidelity", ["Strict", "", None, True, 1])
def test_other_fidelities_are_refused(page, fidelity):
    with pytest.raises(ValueError, match="fidelity must be one of normal, strict"):
        pico_plugins.encode(page, fidelity=fidelity)


@pytest.mark.parametrize("data", [b"", b"\xe1", b"\xfe123"])
def test_no_tile_begins_otherwise(data):
    with pytest.raises(DamagedError, match="neither of a level nor lossless"):
        split_tile(data)


def test_pillow_imageio_and_the_command_line_take_it(page, tmp_path):
    import imageio.v3 as iio
    from click.testing import CliRunner

    import imageio_plugin  # noqa: F401
    import pillow_plugin
    from pico_plugins.cli import main

    image = Image.fromarray(page)
    image.save(tmp_path / "pillow.pico", quality=40, fidelity="strict")
    iio.imwrite(tmp_path / "imageio.pico", page, quality=40, fidelity="strict")
    image.save(tmp_path / "page.png")
    arguments = ["encode", str(tmp_path / "page.png"), "-q", "40", "--fidelity", "strict", "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    expected = pico_plugins.encode(page, 40, fidelity="strict")
    for path in (tmp_path / "pillow.pico", tmp_path / "imageio.pico", tmp_path / "out" / "page.pico"):
        assert path.read_bytes() == expected
    with Image.open(tmp_path / "pillow.pico") as opened:
        assert opened.info["pico"]["fidelity"] == "strict"
    with pytest.raises(ValueError, match="fidelity"):
        pillow_plugin.save(image, tmp_path / "pillow.pico", fidelity="lax")
    shown = CliRunner().invoke(main, ["info", str(tmp_path / "pillow.pico")]).output
    assert "fidelity          strict" in shown
