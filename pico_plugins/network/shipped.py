"""The networks of a shipped model as PyTorch modules again, without the checkpoint that they came from.

A model's folder holds ONNX files and, in the manifest, the configuration. The ONNX files keep the names of the modules'
parameters (:func:`~pico_plugins.export.onnx_file.write_onnx`): what is exported can be put back where it was.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ..weights import ANALYSIS_FILES, PERCEPTUAL_FILE, SYNTHESIS_FILES
from .config import ModelConfig
from .graphs import AnalysisGraph, DequantizerGraph, PerceptualGraph, QuantizerGraph, SynthesisGraph
from .model import PicoModel

_HALF = ".half"  # how write_onnx names a weight that it stores in float16


def model_config(folder: Path) -> ModelConfig:
    """The configuration in the folder's manifest."""
    return ModelConfig.from_json(json.dumps(json.loads((folder / "manifest.json").read_text())["config"]))


def load_analysis(folder: Path, tune: str = "pixels") -> AnalysisGraph:
    """The encoder tuned for "pixels" or the "eye", float32, on the CPU. Errors as :func:`load_synthesis`."""
    return _filled(AnalysisGraph(_skeleton(folder), tune), folder / ANALYSIS_FILES[tune])


def load_quantizer(folder: Path) -> QuantizerGraph:
    """``quantizer.onnx`` as a module, float32, on the CPU. Errors as :func:`load_synthesis`."""
    return _filled(QuantizerGraph(_skeleton(folder)), folder / "quantizer.onnx")


def load_dequantizer(folder: Path) -> DequantizerGraph:
    """``dequantizer.onnx`` as a module, float32, on the CPU. Errors as :func:`load_synthesis`."""
    return _filled(DequantizerGraph(_skeleton(folder)), folder / "dequantizer.onnx")


def load_synthesis(folder: Path, reduction: int = 1) -> SynthesisGraph:
    """The network that shows an image ``reduction`` (1, 2, 4, 8) times smaller, as a module, float32, on the CPU.

    Raises ``ValueError`` if the file's weights are not those of the manifest's configuration.
    """
    return _filled(SynthesisGraph(_skeleton(folder), reduction), folder / SYNTHESIS_FILES[reduction])


def load_perceptual(folder: Path) -> PerceptualGraph:
    """``perceptual.onnx`` as a module, float32, on the CPU. Errors as :func:`load_synthesis`."""
    return _filled(PerceptualGraph(_skeleton(folder)), folder / PERCEPTUAL_FILE)


def _skeleton(folder: Path) -> PicoModel:
    """The model's modules without values: they are on the "meta" device."""
    with torch.device("meta"):
        return PicoModel(model_config(folder)).to("meta")


def _weights(path: Path) -> dict[str, np.ndarray]:
    """The parameters stored in an ONNX file, float32, by the names of the modules'."""
    tensors = onnx.load(path).graph.initializer
    names = {tensor.name: tensor.name.removesuffix(_HALF) for tensor in tensors}
    return {names[t.name]: numpy_helper.to_array(t).astype(np.float32) for t in tensors if "." in names[t.name]}


def _filled(graph: nn.Module, path: Path) -> nn.Module:
    """``graph`` with the weights of the file; parameters that the file has no use for become empty."""
    stored = _weights(path)
    for module_name, module in graph.named_modules(remove_duplicate=False):
        for name, parameter in module.named_parameters(recurse=False):
            value = stored.pop(f"{module_name}.{name}", None)
            if value is not None and value.shape != tuple(parameter.shape):
                msg = f"{path.name}: {module_name}.{name} is {value.shape}, not {tuple(parameter.shape)}"
                raise ValueError(msg)
            if value is not None:
                setattr(module, name, nn.Parameter(torch.from_numpy(value), requires_grad=False))
    if stored:
        msg = f"{path.name}: the configuration has no place for {', '.join(stored)}"
        raise ValueError(msg)
    for module in graph.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.is_meta:
                setattr(module, name, nn.Parameter(torch.empty(0), requires_grad=False))
    return graph.eval()
