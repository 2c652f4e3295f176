"""The authenticity map: how it is made, on a tiny untrained model; if it comes true, on the one that is shipped."""

import io
import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import pico_plugins
from pico_plugins import weights
from pico_plugins.authenticity import Calibration, authenticity_map, departures
from pico_plugins.cli import main
from pico_plugins.errors import DamagedError, LimitError, UnsupportedError
from pico_plugins.fidelity import BOUND, block_errors
from pico_plugins.format.reader import TileReader
from pico_plugins.format.writer import write_file
from pico_plugins.quality import quality_of_level

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from pico_plugins.evaluation.calibration import KNOTS, fit, reliability, samples
from pico_plugins.export.bundle import write_bundle
from pico_plugins.network import TINY, PicoModel
from pico_plugins.weights.manifest import add_file
from tests.network.test_network import randomise

CALIBRATION = Calibration((0.0, 20.0, 250.0), ((0.0, 0.2, 0.8),) * 7 + ((0.0, 0.1, 0.4),))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(3)
    model = PicoModel(TINY).eval()
    model.add_detail((TINY.decoder[1], TINY.decoder[2]))
    randomise(model)
    into = tmp_path_factory.mktemp("models")
    return into / write_bundle(model, into, {})


@pytest.fixture
def model(bundle, tmp_path, monkeypatch):
    """The tiny model as the one that is shipped, in a folder of the test's own."""
    folder = shutil.copytree(bundle, tmp_path / "models" / bundle.name)
    monkeypatch.setattr(weights, "FOLDER", folder.parent)
    monkeypatch.setattr(weights, "DEFAULT", folder.name)
    weights.model_folder.cache_clear()
    yield folder
    weights.model_folder.cache_clear()


@pytest.fixture
def calibrated(model):
    add_file(model, weights.CALIBRATION_FILES["pixels"], CALIBRATION.to_json())
    return model


def test_the_map_is_the_calibrated_departure(calibrated, patch):
    data = pico_plugins.encode(patch, 60)
    faithful, perceptual = (pico_plugins.decode(data, realism=realism) for realism in (0, 1))
    found = authenticity_map(data)
    assert found.shape == patch.shape[:2]
    assert found.dtype == np.float32
    level = pico_plugins.read_header(data).level
    values = set()
    for top, left in ((0, 0), (0, 8), (32, 48), (64, 80)):
        block = np.s_[top : top + 8, left : left + 8]
        rms = np.sqrt(np.square(faithful[block].astype(float) - perceptual[block]).mean())
        expected = np.interp(rms, [0, 20, 250], [0, 0.2, 0.8])  # below level 6
        assert level <= 6 * 32
        assert np.allclose(found[block], expected, atol=1e-5)
        values.add(round(expected, 3))
    assert len(values) > 2
    between = CALIBRATION.chance(np.array([20.0, 135.0, 999.0]), 6 * 32 + 16)
    assert np.allclose(between, [0.15, 0.375, 0.6])


def test_paths_streams_and_progress(calibrated, patch, tmp_path):
    data = pico_plugins.encode(np.dstack([patch, patch[..., 0]]), 60, tile=64)
    (tmp_path / "a.pico").write_bytes(data)
    calls = []
    found = authenticity_map(tmp_path / "a.pico", progress=lambda *call: calls.append(call), threads=1)
    tiles = len(pico_plugins.read_header(data).grid)
    assert calls == [(done + 1, 2 * tiles) for done in range(2 * tiles)]
    with (tmp_path / "a.pico").open("rb") as file:
        assert np.array_equal(authenticity_map(file), found)
    gray = pico_plugins.encode(patch[..., 0], 60)
    assert authenticity_map(gray).shape == patch.shape[:2]


def test_a_file_that_changes_between_the_decodings_is_an_error(calibrated, photo, tmp_path):
    """The difference of two pictures is no map of what is synthesised."""
    path = tmp_path / "a.pico"
    old, new = (pico_plugins.encode(pixels, 95, tile=100) for pixels in (photo, 255 - photo[::-1]))
    path.write_bytes(old)

    def replaced_half_way(done, total):
        if 2 * done == total:
            path.write_bytes(new)  # in place

    with pytest.raises(DamagedError):
        authenticity_map(path, progress=replaced_half_way, threads=1)


def test_nothing_is_synthesised_where_both_decodings_are_the_same(calibrated, patch):
    assert not authenticity_map(pico_plugins.encode(patch, 60, fidelity="strict")).any()
    assert not authenticity_map(pico_plugins.encode(np.full((90, 70, 3), 200, np.uint8), 60)).any()


def test_strict_files_are_checked_like_others(calibrated, patch):
    data = bytearray(pico_plugins.encode(patch, 60, fidelity="strict"))
    with pytest.raises(LimitError):
        authenticity_map(bytes(data), max_pixels=10)
    with pytest.raises(ValueError, match="threads"):
        authenticity_map(bytes(data), threads=0)
    data[-40] ^= 1
    with pytest.raises(DamagedError):
        authenticity_map(bytes(data))


def test_each_tile_is_judged_by_its_own_level(calibrated, patch):
    """The header's level is only what was asked for."""
    data = pico_plugins.encode(patch, 15, tile=64)
    with io.BytesIO(data) as source, io.BytesIO() as target:
        reader = TileReader(source)
        tiles = [reader.tile_bytes(number) for number in range(len(reader.index))]
        write_file(target, replace(reader.header, level=7 * 32), tiles)
        changed = target.getvalue()
    assert np.array_equal(authenticity_map(changed), authenticity_map(data))
    faithful, perceptual = (pico_plugins.decode(data, realism=realism) for realism in (0, 1))
    expected = CALIBRATION.chance(departures(faithful, perceptual), reader.header.level)
    height, width = patch.shape[:2]
    assert np.array_equal(authenticity_map(data), expected.repeat(8, 0)[:height].repeat(8, 1)[:, :width])


def test_a_model_that_synthesises_needs_a_calibration(model, patch):
    with pytest.raises(UnsupportedError, match="no calibration"):
        authenticity_map(pico_plugins.encode(patch, 60))


def test_a_file_says_whether_it_may_synthesise(patch_file, patch):
    info = pico_plugins.read_header(patch_file).info()["pico"]
    assert info["may_synthesise"] is False
    assert pico_plugins.read_header(pico_plugins.encode(patch, 60, realism=0.5)).may_synthesise
    assert not pico_plugins.read_header(pico_plugins.encode(patch, 60, realism=0.5, fidelity="strict")).may_synthesise


def test_what_is_counted_comes_true_for_others():
    """Blocks that are wrong as often as a known curve says: it is found, and holds for blocks that were not counted."""
    random = np.random.default_rng(0)
    apart = random.exponential(10, (2, 40_000)) * (random.random((2, 40_000)) > 0.1)  # a tenth is not apart at all
    true = 1 - np.exp(-apart / 15)
    wrong = random.random(apart.shape) < true
    chances = fit(apart[0], wrong[0])
    assert chances[0] == 0
    assert all(a <= b for a, b in itertools.pairwise(chances))
    calibration = Calibration(KNOTS, (chances,) * 8)
    stated = calibration.chance(apart[1], 100)
    assert np.abs(stated - true[1]).mean() < 0.02
    for chance, share, count in reliability(stated, wrong[1]):
        assert abs(chance - share) < 0.02 + 2 * (0.25 / count) ** 0.5


def test_rare_events_are_not_overstated():
    """One block in a thousand is wrong, however far apart: the end of the curve must not stand on a single one."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        apart = random.exponential(0.3, 800_000)
        chances = fit(apart, random.random(apart.shape) < 0.001)
        assert max(chances) < 0.006


def test_beyond_what_was_counted_the_level_below_speaks():
    below = tuple(min(1.0, knot / 48) for knot in KNOTS)
    apart = np.linspace(0.01, 2, 5000)
    chances = fit(apart, np.zeros(5000, bool), below)
    for knot, chance, other in zip(KNOTS, chances, below, strict=True):
        assert chance == pytest.approx(other if knot >= 2 else 0, abs=1e-4)
    assert fit(np.zeros(9000), np.zeros(9000, bool), below) == below


def test_a_calibration_survives_its_file(model):
    add_file(model, weights.CALIBRATION_FILES["pixels"], CALIBRATION.to_json())
    assert Calibration.of_model(model) == CALIBRATION
    assert weights.model_folder(model.name) == model  # the manifest knows the file
    (model / weights.CALIBRATION_FILES["pixels"]).write_text("{}")
    weights.model_folder.cache_clear()
    with pytest.raises(ValueError, match="differs from its recorded"):
        weights.model_folder(model.name)


def test_blocks_of_real_files_are_counted(model, patch):
    apart, wrong = samples([patch], 100)
    assert apart.shape == wrong.shape == (10 * 12,)
    faithful, perceptual = (
        pico_plugins.decode(pico_plugins.encode(patch, quality_of_level(100)), realism=r) for r in (0, 1)
    )
    assert np.array_equal(apart, block_errors(faithful, perceptual).ravel())
    assert np.array_equal(wrong, block_errors(patch, perceptual).ravel() > BOUND)


@pytest.mark.parametrize("quality", [15, 45])
def test_what_the_shipped_model_makes_up(photo, quality):
    """On a photo that was not counted: where the map is higher more blocks are wrong, and about as many as it says."""
    data = pico_plugins.encode(photo, quality)
    chance = authenticity_map(data)[::8, ::8].ravel()
    wrong = (block_errors(photo, pico_plugins.decode(data, realism=1.0)) > BOUND).ravel()
    high = chance > np.median(chance)
    assert wrong[high].mean() > wrong[~high].mean() + 0.1
    assert abs(chance.mean() - wrong.mean()) < 0.15


def test_blocks():
    a, b = np.zeros((20, 9, 3), np.uint8), np.zeros((20, 9, 3), np.uint8)
    b[0, 0] = 80  # 80 in one of 64 pixels: 10
    b[19, 8] = 40  # the corner's block goes on with it: 40 in 4 of 8 rows at least
    errors = block_errors(a, b)
    assert errors.shape == (3, 2)
    assert errors[0, 0] == pytest.approx(10)
    assert errors[1].tolist() == [0, 0]
    assert errors[2, 1] > BOUND
    tall = np.random.default_rng(0).integers(0, 256, (2, 1100, 9, 3)).astype(np.uint8)
    assert np.array_equal(departures(*tall), block_errors(*tall))  # in several bands


def test_command_line(calibrated, patch, tmp_path):
    pico_plugins.encode_file(tmp_path / "a.pico", patch, 60)
    arguments = ["decode", str(tmp_path / "a.pico"), "--authenticity", str(tmp_path / "map.png")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "map.png") as image:
        assert image.mode == "L"
        shown = np.asarray(image)
    assert np.array_equal(shown, np.rint(255 * authenticity_map(tmp_path / "a.pico")).astype(np.uint8))
    assert "% of the image" in result.output
    assert not (tmp_path / "a.png").exists()  # the map alone
    assert CliRunner().invoke(main, arguments).exit_code == 1  # it is there already
    assert CliRunner().invoke(main, [*arguments, "-f"]).exit_code == 0
    for more in (["--scale", "1/2"], ["--realism", "1"], ["-o", str(tmp_path / "b.png")]):
        assert CliRunner().invoke(main, [*arguments, "-f", *more]).exit_code == 2
    assert CliRunner().invoke(main, [*arguments[:-1], str(tmp_path / "map.xyz"), "-f"]).exit_code == 1
