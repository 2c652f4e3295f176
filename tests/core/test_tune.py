"""Files tuned for the eye: another encoder, the same format and decoder."""

import io
import shutil

import numpy as np
import pytest

import pico_plugins
from pico_plugins import weights
from pico_plugins.errors import UnsupportedError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from pico_plugins.export.bundle import add_eye_encoder, write_bundle
from pico_plugins.network import TINY, PicoModel
from pico_plugins.network.shipped import model_config
from tests.network.test_network import randomise


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """One model without and one with a second encoder, otherwise the same."""
    torch.manual_seed(3)
    model = PicoModel(TINY).eval()
    model.add_detail((TINY.decoder[1], TINY.decoder[2]))
    randomise(model)
    into = tmp_path_factory.mktemp("models")
    names = [write_bundle(model, into, {})]
    files = {path.name: path.read_bytes() for path in (into / names[0]).iterdir()}
    model.add_eye_encoder()
    randomise(model.eye_encoder)
    second = tmp_path_factory.mktemp("models")
    names.append(write_bundle(model, second, {}))
    return into / names[0], files, second / names[1], model


@pytest.fixture
def ship(monkeypatch):
    def shipped(folder):
        monkeypatch.setattr(weights, "FOLDER", folder.parent)
        monkeypatch.setattr(weights, "DEFAULT", folder.name)
        weights.model_folder.cache_clear()

    yield shipped
    weights.model_folder.cache_clear()


def test_a_second_encoder_changes_no_other_file_and_no_id(bundles):
    first, files, second, _ = bundles
    assert first.name == second.name
    networks = {path.name: path.read_bytes() for path in second.iterdir()}
    assert set(networks) - set(files) == {"analysis-eye.onnx"}
    assert all(networks[name] == files[name] for name in files if name != "manifest.json")


def test_both_tunings_are_read_alike(bundles, ship, patch):
    ship(bundles[2])
    pixels, eye = (pico_plugins.encode(patch, 60, tune=tune) for tune in ("pixels", "eye"))
    assert pixels == pico_plugins.encode(patch, 60)
    assert pixels != eye
    headers = [pico_plugins.read_header(io.BytesIO(data)) for data in (pixels, eye)]
    assert [header.tune for header in headers] == ["pixels", "eye"]
    assert [header.realism for header in headers] == [0.0, 1.0]  # what each is there for
    assert headers[1].info()["pico"]["tune"] == "eye"
    assert pico_plugins.read_header(io.BytesIO(pico_plugins.encode(patch, 60, tune="eye", realism=0))).realism == 0
    shown = pico_plugins.decode(eye)
    assert np.array_equal(shown, pico_plugins.decode(eye, realism=1))
    assert not np.array_equal(shown, pico_plugins.decode(eye, realism=0))
    assert not np.array_equal(pico_plugins.decode(pixels, realism=1), shown)


def test_a_second_encoder_can_come_later(bundles, ship, tmp_path, patch):
    """Beside the networks that are shipped already, which stay as they are."""
    folder = shutil.copytree(bundles[0], tmp_path / bundles[0].name)
    model = PicoModel(model_config(folder))
    with pytest.raises(ValueError, match="another entropy model"):
        add_eye_encoder(model, folder)
    add_eye_encoder(bundles[3], folder)
    ship(folder)  # hashes are checked
    data = pico_plugins.encode(patch, 60, tune="eye")
    ship(bundles[2])
    assert pico_plugins.encode(patch, 60, tune="eye") == data
    assert model_config(folder).eye_encoder == TINY.encoder


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_other_backends_have_both_encoders(bundles, ship, patch, backend):
    pytest.importorskip(backend)
    ship(bundles[2])
    for tune in ("pixels", "eye"):
        data = pico_plugins.encode(patch, 60, tune=tune, backend=backend)
        ours = pico_plugins.decode(data, realism=0).astype(int)
        theirs = pico_plugins.decode(pico_plugins.encode(patch, 60, tune=tune), realism=0)
        assert np.abs(ours - theirs).mean() < 1


def test_what_cannot_be_is_refused(bundles, ship, patch):
    ship(bundles[2])
    with pytest.raises(ValueError, match="tune must be one of pixels, eye, not 'film'"):
        pico_plugins.encode(patch, tune="film")
    with pytest.raises(ValueError, match="cannot be combined with tune='eye'"):
        pico_plugins.encode(patch, tune="eye", fidelity="strict")
    with pytest.raises(UnsupportedError, match="no calibration for files tuned for the eye"):
        pico_plugins.authenticity_map(pico_plugins.encode(patch, tune="eye"))
    ship(bundles[0])
    with pytest.raises(UnsupportedError, match="no encoder tuned for the eye"):
        pico_plugins.encode(patch, tune="eye")
