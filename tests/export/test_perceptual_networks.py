"""A model with a detail branch, exported: every way to run it shows the same, and realism 0 is faithful decoding."""

import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch.nn.functional as F

import pico_plugins
from pico_plugins import backends, weights
from pico_plugins.backends.coreml import CoreMlNetworks
from pico_plugins.backends.onnxruntime import OnnxRuntimeNetworks
from pico_plugins.cli import main
from pico_plugins.export.bundle import write_bundle
from pico_plugins.export.device import SIDE, input_shapes, programs
from pico_plugins.network import TINY, PicoModel, Stage
from pico_plugins.network.level import level_weights
from pico_plugins.training.klt import initialise
from pico_plugins.training.tensors import to_tensor
from tests.conftest import psnr

DETAIL = Stage(24, 1, depthwise=False, f=1), Stage(32, 1, depthwise=False, f=1)


@pytest.fixture(scope="module")
def model(photo) -> PicoModel:
    """Untrained, but it shows pictures, to which the branch adds something."""
    torch.manual_seed(0)
    model = PicoModel(TINY).eval()
    initialise(model, to_tensor(np.stack([photo[100:228, x : x + 128] for x in range(0, 400, 50)])))
    model.add_detail(DETAIL)
    with torch.no_grad():
        model.detail.leave.weight.normal_(0, 0.004)
        for parameter in model.parameters():  # an export stores equal parameters once, as trained ones never are
            parameter.add_(1e-3 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    into = tmp_path_factory.mktemp("models")
    return into / write_bundle(model, into, {})


@pytest.fixture
def shipped(folder, tmp_path, monkeypatch):
    """The model as the one that is shipped."""
    monkeypatch.setattr(weights, "FOLDER", shutil.copytree(folder.parent, tmp_path / "models"))
    monkeypatch.setattr(weights, "DEFAULT", folder.name)
    weights.model_folder.cache_clear()
    yield weights.FOLDER / folder.name
    weights.model_folder.cache_clear()


@torch.no_grad()
@pytest.mark.parametrize("realism", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(128, 64), (64, 576)])  # the second is wider than the noise pattern
def test_the_exported_network_is_the_trained_one(model, folder, photo, realism, size):
    networks, at = OnnxRuntimeNetworks(folder, 1), 2.75
    y, _ = networks.analyse(np.ascontiguousarray(photo[: size[0], : size[1]]), at)
    hats = level_weights(torch.tensor([at]), 8)
    features = model.decoder.features(torch.from_numpy(y)[None], hats)
    added = model.add(features, hats, torch.tensor([realism]))
    expected = F.pixel_shuffle(model.decoder.full(added, hats), 4)[0].permute(1, 2, 0).numpy()
    shown, faithful = networks.synthesise(y, at, realism), networks.synthesise(y, at, 0.0)
    assert psnr(shown, np.clip(255 * expected, 0, 255)) > 50
    assert (psnr(shown, faithful) > 90) == (realism == 0)
    for reduction in (2, 4, 8):  # never perceptual
        asked = networks.synthesise(y, at, realism, reduction)
        assert np.array_equal(asked, networks.synthesise(y, at, 0.0, reduction))


@pytest.mark.parametrize("name", [name for name in backends.available() if name != "onnxruntime"])
def test_all_backends_show_the_same(shipped, photo, name):
    data = pico_plugins.encode(photo[:200, :136], 60)
    try:
        shown = [pico_plugins.decode(data, realism=r, backend=name) for r in (0.0, 0.6, 1.0)]
    except ValueError as error:
        pytest.skip(str(error))
    expected = [pico_plugins.decode(data, realism=r, backend="onnxruntime") for r in (0.0, 0.6, 1.0)]
    assert psnr(*expected[1:]) < 40
    for a, b in zip(shown, expected, strict=True):
        if name.endswith("bf16"):
            assert psnr(a, b) > 40
        else:
            assert np.abs(a.astype(int) - b).max() <= 1


def test_what_defines_the_model(folder, model):
    """The perceptual network belongs to its id: without it there is another one."""
    hashes = {path.name: weights.file_hash(path) for path in folder.iterdir()}
    assert weights.model_id(hashes) == folder.name
    del hashes[weights.PERCEPTUAL_FILE]
    assert weights.model_id(hashes) != folder.name


def test_a_file_with_realism_is_decoded_so(shipped, photo):
    piece = photo[:128, :128]
    data, plain = (pico_plugins.encode(piece, 60, realism=r) for r in (1.0, 0.0))
    assert np.array_equal(pico_plugins.decode(data), pico_plugins.decode(plain, realism=1.0))
    assert np.array_equal(pico_plugins.decode(data, realism=0.0), pico_plugins.decode(plain))
    assert not np.array_equal(pico_plugins.decode(data), pico_plugins.decode(plain))


def test_the_example_decodes_it(shipped, photo, tmp_path):
    from tests.export.test_onnx_folder import load_example

    result = CliRunner().invoke(main, ["export", "--target", "onnx", "-o", str(tmp_path / "onnx")])
    assert result.exit_code == 0, result.output
    decoder = load_example().Decoder(tmp_path / "onnx")
    for realism in (0.0, 1.0):
        data = pico_plugins.encode(photo[:100, :150], 60, realism=realism)
        expected = pico_plugins.decode(data, backend="onnxruntime", threads=1)
        assert np.array_equal(decoder.decode(data), expected)
    assert "perceptual" in CliRunner().invoke(main, ["export", "--report"]).output.splitlines()[2]


class GraphNetworks(CoreMlNetworks):
    """The backend with the graphs that would be converted, in PyTorch on the CPU where Core ML would be."""

    def _open(self, folder):
        self._graphs = {name: make(folder).eval() for name, make in programs(folder).items()}
        self._shapes = {name: list(input_shapes(folder, name)) for name in self._graphs}

    def _predict(self, program, feed):
        assert list(feed) == self._shapes[program]
        with torch.inference_mode():
            image = self._graphs[program](*(torch.from_numpy(array).float() for array in feed.values()))
        return {"image": image.half().numpy()}


@pytest.mark.parametrize("realism", [0.0, 0.6, 1.0])
def test_the_device_program_shows_the_same(folder, realism):
    networks, reference = GraphNetworks(folder, 1), OnnxRuntimeNetworks(folder, 1)
    random = np.random.default_rng(1)
    z = random.integers(-3, 4, (TINY.hyperlatents, SIDE // 64, SIDE // 64)).astype(np.int32)
    symbols = random.integers(-2, 3, (4 * TINY.latents, SIDE // 32, SIDE // 32)).astype(np.int32)
    shown = networks.synthesise(networks.dequantize(z, symbols, 3.5), 3.5, realism)
    expected = reference.synthesise(reference.dequantize(z, symbols, 3.5), 3.5, realism)
    assert psnr(shown, expected) > 60


@pytest.mark.skipif(sys.platform == "darwin", reason="packages are converted the same way there, and can be run")
def test_packages_are_written_for_it(shipped, tmp_path):
    pytest.importorskip("coremltools")
    result = CliRunner().invoke(main, ["export", "--target", "coreml", "-o", str(tmp_path / "coreml")])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "coreml").iterdir()} == {
        *("encoder.mlpackage", "quantizer.mlpackage", "decoder.mlpackage", "perceptual.mlpackage")
    }
