"""The exported ONNX folder is complete: a script that knows nothing else decodes real files to the same pixels."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from click.testing import CliRunner

import pico_plugins
from pico_plugins import weights
from pico_plugins.backends.feeds import dequantizer_feed, quantizer_feed, scalar
from pico_plugins.backends.onnxruntime import OnnxRuntimeNetworks
from pico_plugins.backends.pixel_blocks import from_blocks, to_blocks
from pico_plugins.cli import main
from pico_plugins.entropy.phases import from_phases
from tests.golden.make import FOLDER as GOLDEN

EXAMPLE = Path(__file__).parents[2] / "examples" / "decode_from_export.py"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    into = tmp_path_factory.mktemp("onnx")
    result = CliRunner().invoke(main, ["export", "--target", "onnx", "-o", str(into)])
    assert result.exit_code == 0, result.output
    return into


def load_example():
    """examples/decode_from_export.py as a module."""
    specification = importlib.util.spec_from_file_location("decode_from_export", EXAMPLE)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    return example


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.pico")), ids=lambda path: path.stem)
def test_example_decodes_to_the_same_pixels(exported, tmp_path, file):
    assert "pico_plugins" not in EXAMPLE.read_text().replace("not pico_plugins", "")
    expected = pico_plugins.decode(file, backend="onnxruntime", threads=1)
    assert np.array_equal(load_example().Decoder(exported).decode(file.read_bytes()), expected)


def test_example_runs_where_this_package_is_not(exported, tmp_path):
    shutil.copy(EXAMPLE, tmp_path)
    arguments = [str(exported), str(GOLDEN / "gray.pico"), "out.png"]
    code = f"""
import runpy, sys
sys.modules["pico_plugins"] = None
sys.argv[1:] = {arguments!r}
runpy.run_path("decode_from_export.py", run_name="__main__")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert (tmp_path / "out.png").exists()


def test_static_networks_compute_the_same(exported, photo):
    reference = OnnxRuntimeNetworks(weights.model_folder(weights.DEFAULT), 1)
    pixels = np.ascontiguousarray(np.pad(photo, ((0, 112), (0, 0), (0, 0)), mode="edge")[:, :512])
    coded = np.ones((4 * 320, 16, 16), bool)

    def run(name: str, feed: dict) -> list[np.ndarray]:
        return onnxruntime.InferenceSession(exported / f"{name}-512.onnx").run(None, feed)

    y, z = reference.analyse(pixels, 3.0)
    static_y, static_z = run("encoder", {"blocks": to_blocks(pixels)[None], "level": scalar(3.0)})
    assert np.allclose(static_y[0], y, atol=1e-3)
    assert np.mean(static_z[0] != z) < 1e-3
    symbols = reference.quantize(z, y, coded, 3.0)
    (static_symbols,) = run("quantizer", quantizer_feed(z, y, coded, 3.0))
    assert np.mean(static_symbols[0] != symbols) < 1e-3
    (phases,) = run("dequantizer", dequantizer_feed(z, symbols, 3.0))
    latents = from_phases(phases[0], np.float32)[None]
    (blocks,) = run("decoder", {"latents": latents, "level": scalar(3.0)})
    expected = reference.synthesise(reference.dequantize(z, symbols, 3.0), 3.0, 0.0)
    assert np.abs(from_blocks(blocks[0]).astype(int) - expected).max() <= 1


def test_static_shapes_opset_and_description(exported):
    facts = json.loads((exported / "model.json").read_text())
    assert facts["model"] == weights.DEFAULT
    assert {path.name for path in exported.glob("*.onnx")} == facts["networks"].keys()
    assert len(facts["networks"]) == 12
    for name, network in facts["networks"].items():
        graph = onnx.load(exported / name)
        onnx.checker.check_model(graph)
        assert network["opset"] == {"ai.onnx": 20}
        static = "-512" in name
        shapes = [port["shape"] for port in (*network["inputs"].values(), *network["outputs"].values())]
        assert all(isinstance(side, int) for shape in shapes for side in shape) == static
        assert not (static and any(node.op_type == "Shape" for node in graph.graph.node))
    for layer in facts["scale_decoder"]["layers"]:
        assert layer in ("gather", "up1", "mix", "up2", "head")


def test_options_are_checked(tmp_path):
    run = CliRunner().invoke
    assert "give --target" in run(main, ["export"]).output
    assert "give a folder" in run(main, ["export", "--target", "onnx"]).output
    assert "for --target coreml" in run(main, ["export", "--target", "onnx", "-o", "x", "--weights", "int8"]).output
    assert "needs model" in run(main, ["export", "--report", "--model", "0" * 16]).output
