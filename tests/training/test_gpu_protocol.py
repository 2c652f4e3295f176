"""The pieces that training on a lent GPU is made of. ``pico_plugins.training.rehearse`` runs them all together."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

torch = pytest.importorskip("torch")

from pico_plugins.network import TINY, PicoModel
from pico_plugins.network.weights_file import save_weights
from pico_plugins.training import pack, probe, stage
from pico_plugins.training.pieces import cut, join
from pico_plugins.training.text_masks import TextMasks


def test_parts_are_no_larger_than_asked_for_and_hold_everything():
    sizes = [5, 40, 7, 30, 30, 12, 1]
    parts = pack.parts_of(sizes, 42)
    assert sorted(number for part in parts for number in part) == list(range(7))
    assert all(sum(sizes[number] for number in part) <= 42 for part in parts)
    with pytest.raises(ValueError, match="43 bytes"):
        pack.parts_of([43], 42)


def test_packed_photos_keep_their_masks(tmp_path):
    masks, photos = TextMasks(tmp_path / "masks"), []
    masks.folder.mkdir()
    for folder in ("a", "b"):  # the same name twice
        (tmp_path / folder).mkdir()
        photos.append(tmp_path / folder / "x.png")
        Image.fromarray(np.random.default_rng(len(photos)).integers(0, 256, (64, 64, 3), np.uint8)).save(photos[-1])
        Image.new("L", (32, 32), 100 * len(photos)).save(masks.path(photos[-1]))
    arguments = [
        str(tmp_path / "a"),
        str(tmp_path / "b"),
        "--masks",
        str(masks.folder),
        "--out",
        str(tmp_path / "parts"),
    ]
    result = CliRunner().invoke(pack.main, [*arguments, "--mib", "0.015"], catch_exceptions=False)
    assert result.output.count("1 images") == 2
    packed = sorted((tmp_path / "parts").glob("*/photos/*.png"))
    assert {path.read_bytes() for path in packed} == {path.read_bytes() for path in photos}
    for path in packed:
        assert TextMasks(path.parents[1] / "masks")(path).max() in (100, 200)


def test_a_run_in_pieces_and_together_again(tmp_path):
    run, random = tmp_path / "run", np.random.default_rng(0)
    run.mkdir()
    contents = {
        name: random.bytes(size) for name, size in (("log.jsonl", 10), ("ema.safetensors", 9000), ("state.pt", 30000))
    }
    for name, content in contents.items():
        (run / name).write_bytes(content)
    with pytest.raises(ValueError, match="more than 4 files of 10000"):
        cut(run, tmp_path / "out", 4, 10_000)
    assert not (tmp_path / "out").exists()
    pieces = cut(run, tmp_path / "out", 6, 10_000)
    assert 4 < len(pieces) <= 6 and all(path.stat().st_size <= 10_000 for path in pieces)
    join(tmp_path / "out", tmp_path / "again")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == contents

    (run / "before-decay.pt").write_bytes(b"earlier")  # what a later run goes on from
    for path in pieces:
        path.unlink()
    cut(run, tmp_path / "out", 6, 10_000)
    join(tmp_path / "out", tmp_path / "third")
    assert (tmp_path / "third" / "state.pt").read_bytes() == b"earlier"
    (tmp_path / "out" / "run.tar.00").unlink()
    with pytest.raises(ValueError, match="missing or damaged"):
        join(tmp_path / "out", tmp_path / "fourth")


def test_the_probe_chooses_the_smallest_batch_that_is_fast():
    assert probe.choose({16: 500.0, 32: 960.0, 64: 1000.0}) == 32
    assert probe.choose({16: 1000.0, 32: 900.0}) == 16


def test_the_probe_notices_a_device_that_computes_otherwise(tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = PicoModel(TINY)
    model.add_detail()
    path = tmp_path / "ema.safetensors"
    save_weights(path, dict(model.named_parameters()), model.config, crops="17")
    monkeypatch.setattr(probe, "_STORED", tmp_path / "probe.json")
    arguments = [str(path), "--batch", "2", "--seconds", "0.01", "--without", "features", "--without", "adversary"]
    first = CliRunner().invoke(probe.main, [*arguments, "--store"], catch_exceptions=False)
    assert first.exit_code == 0 and "(+0.00%)" in first.output and "take --batch 2" in first.output
    stored = (tmp_path / "probe.json").read_text()
    assert '"17"' in stored
    (tmp_path / "probe.json").write_text('{"17": 1.0}')
    second = CliRunner().invoke(probe.main, arguments)
    assert second.exit_code == 1 and "computes otherwise" in second.output


def test_staged_networks_are_what_the_packages_hold(tmp_path, monkeypatch):
    arrays = {"conv_0.weight": np.full((2, 3, 3, 3), 0.1, np.float32), "conv_0.bias": np.zeros(2, np.float32)}
    monkeypatch.setattr(stage, "network_arrays", lambda name: arrays)
    result = CliRunner().invoke(stage.main, ["--out", str(tmp_path), "--network", "vgg"], catch_exceptions=False)
    assert "vgg.safetensors" in result.output
    from pico_plugins.evaluation.staged import VARIABLE, staged

    assert staged("vgg") is None
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    found = staged("vgg")
    assert found["conv_0.weight"].dtype == np.float32
    assert np.allclose(found["conv_0.weight"], 0.1, rtol=1e-3)
