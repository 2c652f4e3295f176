import math
import random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from click.testing import CliRunner
from PIL import Image

from pico_plugins.evaluation.metrics import METRICS
from pico_plugins.evaluation.peers import jpeg
from pico_plugins.network import CPU, PAPER, TINY, PicoModel
from pico_plugins.network.complexity import kmac_per_pixel
from pico_plugins.training.search import cost, space
from pico_plugins.training.search.cli import main
from pico_plugins.training.search.finalists import choose, within_target
from pico_plugins.training.search.store import Store, config_name
from pico_plugins.training.trials.evaluate import estimated_curve, peer_curve


@pytest.mark.parametrize("config", [CPU, PAPER, TINY, *(space.draw(random.Random(seed)) for seed in (1, 2))])
def test_cost_is_counted_without_building(config):
    counted = kmac_per_pixel(PicoModel(config), side=64)
    assert cost.decoder_kmac(config) == pytest.approx(counted["decoder"])
    assert cost.encoder_kmac(config) == pytest.approx(counted["encoder"])


def test_space_is_large_and_never_caps_the_latents():
    assert space.size() > 1_000_000
    source = random.Random(0)
    drawn = [space.draw(source) for _ in range(200)]
    assert len({config_name(config) for config in drawn}) == 200
    assert all(side[2].channels >= config.latents for config in drawn for side in (config.encoder, config.decoder))


def test_targets_and_choice():
    def row(name, backend, decoder, encoder):
        return {"name": name, "backend": backend, "decoder_ms": decoder, "encoder_ms": encoder}

    timings = [
        row("fast", "a", 10, 10),
        row("slow encoder", "a", 10, 31),
        row("slow", "a", 21, 10),
        row("slow on b", "a", 10, 10),
        row("slow on b", "b", 30, 10),
        row("full", "a", 19, 29),
    ]
    shares = within_target(timings, {"a": 1.0, "b": 1.0}, tiles=50)
    assert shares == pytest.approx({"fast": 0.5, "full": 0.95})
    many = {str(i): i / 10 for i in range(10)}
    kmac = {str(i): (i * 7) % 10 for i in range(10)}
    assert choose(many, kmac, 2) == ["4", "7"]
    assert choose({}, kmac, 3) == []


def test_estimated_curve_has_a_point_for_each_level(tmp_path, photo):
    Image.fromarray(photo[:128, :128]).save(tmp_path / "a.png")
    points = estimated_curve(PicoModel(TINY), [tmp_path / "a.png"], side=64)
    assert [level for level, _, _ in points] == list(range(8))
    assert all(math.isfinite(bpp) and math.isfinite(values["psnr"]) for _, bpp, values in points)


def test_peer_curve_measures_the_same_middle(tmp_path, photo):
    middle = photo[32:96, 32:96]
    Image.fromarray(photo[:128, :128]).save(tmp_path / "a.png")
    (rate, best), *_ = sorted(peer_curve(jpeg(), [tmp_path / "a.png"], ("psnr",), 64)["psnr"], reverse=True)
    peer = jpeg()
    files = [peer.encode(middle, quality) for quality in peer.qualities]
    (file,) = [file for file in files if 8 * len(file) / 64**2 == rate]
    assert rate <= 2.0
    assert best == METRICS["psnr"](middle, peer.decode(file))


def test_sample_then_time_resumes(tmp_path):
    store = tmp_path / "s.sqlite"

    def run(*arguments: object):
        result = CliRunner().invoke(main, ["--store", str(store), *map(str, arguments)])
        assert result.exit_code == 0, result.output
        return result.output

    assert "within the cost filter" in run("sample", "--draws", 3000, "--keep", 2, "--decoder", 3, 6)
    assert len(Store(store).configs()) == 2
    timing = ("time", "--group", 2, "--rounds", 1, "--backend", "onnxruntime-f32")
    run(*timing)
    rows = Store(store).timings()
    assert len(rows) == 2
    assert all(row["decoder_ms"] > 0 and row["anchor_decoder_ms"] > 0 and 3 <= row["decoder_kmac"] <= 6 for row in rows)
    run(*timing)
    assert Store(store).timings() == rows
