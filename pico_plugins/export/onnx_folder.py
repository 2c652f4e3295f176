"""A model as a folder that needs nothing of this package: ONNX networks, integer tables, a JSON that explains them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import torch

from ..entropy.scale_decoder import HIDDEN_LIMIT, HYPERLATENT_LIMIT, SHIFT, ScaleDecoder
from ..format.tile_grid import MARGIN, TILE
from ..network.shipped import (
    load_analysis,
    load_dequantizer,
    load_perceptual,
    load_quantizer,
    load_synthesis,
    model_config,
)
from ..quality import LEVEL_STEPS
from ..weights import ANALYSIS_FILES, PERCEPTUAL_FILE, SYNTHESIS_FILES
from .device import SIDE
from .onnx_file import write_onnx

NETWORKS = {
    "encoder": ANALYSIS_FILES["pixels"],
    "quantizer": "quantizer.onnx",
    "dequantizer": "dequantizer.onnx",
    "decoder": SYNTHESIS_FILES[1],
    "perceptual": PERCEPTUAL_FILE,
    "encoder-eye": ANALYSIS_FILES["eye"],
}
"""Name here -> shipped file: the dynamic networks are the shipped ones, byte for byte. Not every model has the last
two."""

_TYPES = {value: name.lower() for name, value in onnx.TensorProto.DataType.items()}


def _ports(values: list[onnx.ValueInfoProto]) -> dict[str, dict[str, object]]:
    return {
        value.name: {
            "dtype": _TYPES[value.type.tensor_type.elem_type],
            "shape": [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim],
        }
        for value in values
    }


def _describe(path: Path) -> dict[str, object]:
    model = onnx.load(path)
    opset = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return {"opset": opset, "inputs": _ports(model.graph.input), "outputs": _ports(model.graph.output)}


def write_static(folder: Path, into: Path) -> None:
    """The networks for windows of 512 x 512 pixels only, with no shape left to compute."""
    config, level = model_config(folder), torch.tensor([3.5])
    grid, fine = (1, config.latents, SIDE // 16, SIDE // 16), SIDE // 4
    phases = (1, 4 * config.latents, SIDE // 32, SIDE // 32)
    z = torch.zeros(1, config.hyperlatents, SIDE // 64, SIDE // 64)
    modules = [
        ("encoder", load_analysis(folder), (torch.zeros(1, 48, fine, fine, dtype=torch.uint8), level)),
        ("quantizer", load_quantizer(folder), (z, torch.zeros(phases), torch.ones(phases, dtype=torch.uint8), level)),
        ("dequantizer", load_dequantizer(folder), (z, torch.zeros(phases), level)),
        ("decoder", load_synthesis(folder), (torch.zeros(grid), level)),
    ]
    if (folder / PERCEPTUAL_FILE).exists():
        modules.append(("perceptual", load_perceptual(folder), (torch.zeros(grid), level, torch.zeros(1))))
    if (folder / ANALYSIS_FILES["eye"]).exists():
        modules.append(("encoder-eye", load_analysis(folder, "eye"), modules[0][2]))
    for name, module, arguments in modules:
        graph = onnx.load(folder / NETWORKS[name]).graph
        names = [[value.name for value in values] for values in (graph.input, graph.output)]
        write_onnx(module, arguments, *names, None, into / f"{name}-{SIDE}.onnx")


def write_folder(folder: Path, into: Path) -> list[Path]:
    """Write the model in ``folder`` into the folder ``into``; docs/device.md describes the files."""
    for name, file in NETWORKS.items():
        if (folder / file).exists():
            shutil.copyfile(folder / file, into / f"{name}.onnx")
    write_static(folder, into)
    shutil.copyfile(folder / "entropy.safetensors", into / "entropy.safetensors")
    networks = sorted(path.name for path in into.glob("*.onnx"))
    facts = {
        "model": folder.name,
        "licence": "MIT",
        "format": "docs/format.md, version 0",
        "quality": {"levels": [0, model_config(folder).levels - 1], "stored_in": f"1/{LEVEL_STEPS}"},
        "tile": {"side": TILE, "margin": MARGIN, "window": SIDE},
        "networks": {name: _describe(into / name) for name in networks},
        "scale_decoder": {
            "layers": list(ScaleDecoder.LAYERS),
            "pixel_shuffle_after": ["up1", "up2"],
            "shift": SHIFT,
            "input_limit": HYPERLATENT_LIMIT,
            "hidden_limit": HIDDEN_LIMIT,
        },
        "tables": {"precision_bits": 24, "escape": "the last symbol of each table", "first": 1},
    }
    (into / "model.json").write_text(json.dumps(facts, indent=1) + "\n")
    return sorted(into.iterdir())
