"""The shipped ONNX files come back as the modules they were made from."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import json
import shutil

from pico_plugins import weights
from pico_plugins.network.shipped import load_dequantizer, load_synthesis

FOLDER = weights.model_folder(weights.DEFAULT)


def test_every_weight_of_the_file_is_in_the_module():
    module = load_dequantizer(FOLDER)
    stored = {
        t.name.removesuffix(".half"): onnx.numpy_helper.to_array(t)
        for t in onnx.load(FOLDER / "dequantizer.onnx").graph.initializer
    }
    named = dict(module.named_parameters())
    learned = {name for name in stored if name.startswith("context.")}
    assert learned == named.keys()
    assert all(np.array_equal(named[name].numpy(), stored[name].astype(np.float32)) for name in learned)


def test_weights_of_another_configuration_are_refused(tmp_path):
    for name in ("manifest.json", "synthesis.onnx"):
        shutil.copy(FOLDER / name, tmp_path)
    manifest = tmp_path / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["config"]["decoder"][1]["channels"] = 64
    manifest.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"synthesis\.onnx: decoder\.to_eighth\.weight is"):
        load_synthesis(tmp_path)
    shutil.copy(FOLDER / "dequantizer.onnx", tmp_path / "synthesis.onnx")
    manifest.write_text((FOLDER / "manifest.json").read_text())
    with pytest.raises(ValueError, match=r"no place for context\."):
        load_synthesis(tmp_path)
