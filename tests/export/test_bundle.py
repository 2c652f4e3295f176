"""What is exported computes what was trained, in ONNX Runtime."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch.nn.functional as F

from pico_plugins import weights
from pico_plugins.backends import onnxruntime
from pico_plugins.entropy.phases import to_phases
from pico_plugins.export.bundle import write_bundle, write_networks
from pico_plugins.network import PAPER, TINY, PicoModel
from pico_plugins.network.level import level_weights
from tests.network.test_network import randomise


@pytest.fixture(scope="module")
def model() -> PicoModel:
    model = PicoModel(TINY).eval()
    randomise(model)
    with torch.no_grad():  # what is stored is float16: compare with the same weights
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    into = tmp_path_factory.mktemp("models")
    name = write_bundle(model, into, {"crops": "0"})
    return into / name


@torch.no_grad()
def test_networks_agree_with_training(model, folder):
    networks = onnxruntime.OnnxRuntimeNetworks(folder, 1)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 192, 3)).astype(np.uint8)
    level = 2.75
    hats = level_weights(torch.tensor([level]), 8)

    y, z = networks.analyse(pixels, level)
    unit = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    y_torch, z_torch = model.encoder(F.pixel_unshuffle(unit, 4), hats)
    assert np.abs(y - y_torch[0].numpy()).max() < 0.02 * y_torch.abs().max()
    assert np.abs(z - z_torch[0].numpy()).max() < 0.6

    coded = np.random.default_rng(1).random((4 * len(y), y.shape[1] // 2, y.shape[2] // 2)) < 0.8
    symbols = networks.quantize(z, y, coded, level)
    assert symbols.any()
    assert not symbols[~coded].any()
    latents = networks.dequantize(z, symbols, level)
    taken = []

    def reconstruct(phase, mu, q):
        taken.append(torch.from_numpy(symbols)[None].float().chunk(4, 1)[phase] * q + mu)
        return taken[-1]

    expected, mu, q = model.context(torch.from_numpy(z)[None].float(), hats, reconstruct)
    assert np.abs(latents - expected[0].numpy()).max() < 0.01 * expected.abs().max()
    # The encoder chose the nearest symbol wherever it was free to.
    residual = to_phases((y - mu[0].numpy()) / q[0].numpy(), np.float32)
    distance = np.abs(residual - symbols)[coded]
    assert np.quantile(distance, 0.99) < 0.51

    shown = networks.synthesise(latents, level, 0.0)
    decoded = F.pixel_shuffle(model.decoder(expected, hats), 4)[0].permute(1, 2, 0).numpy()
    assert shown.shape == pixels.shape
    assert np.abs(shown.astype(float) - np.clip(decoded * 255, 0, 255)).max() < 3


def test_manifest_and_hashes(folder, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", folder.parent)
    weights.model_folder.cache_clear()
    assert weights.model_folder(folder.name) == folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["config"] == json.loads(TINY.to_json())
    with (folder / "synthesis.onnx").open("ab") as file:
        file.write(b"\0")
    weights.model_folder.cache_clear()
    with pytest.raises(ValueError, match=r"synthesis\.onnx differs"):
        weights.model_folder(folder.name)
    weights.model_folder.cache_clear()


def test_shipped_weights_are_small():
    size = sum(path.stat().st_size for path in weights.model_folder(weights.DEFAULT).iterdir())
    assert size < 25e6


def test_paper_config_exports_and_runs(tmp_path):
    model = PicoModel(PAPER).eval()
    write_networks(model, tmp_path)
    networks = onnxruntime.OnnxRuntimeNetworks(tmp_path, 2)
    y, z = networks.analyse(np.zeros((64, 64, 3), np.uint8), 3.0)
    assert y.shape == (320, 4, 4)
    symbols = networks.quantize(z, y, np.ones((4 * 320, 2, 2), bool), 3.0)
    latents = networks.dequantize(z, symbols, 3.0)
    assert networks.synthesise(latents, 3.0, 0.0).shape == (64, 64, 3)
