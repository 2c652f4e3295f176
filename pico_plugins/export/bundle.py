"""Write a trained model as the folder that the codec loads: :mod:`pico_plugins.weights` describes it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.export import Dim

from ..network import PicoModel
from ..network.graphs import AnalysisGraph, DequantizerGraph, PerceptualGraph, QuantizerGraph, SynthesisGraph
from ..quality import TUNES
from ..weights import ANALYSIS_FILES, PERCEPTUAL_FILE, SYNTHESIS_FILES, file_hash, model_id
from ..weights.manifest import note_file
from .onnx_file import write_onnx
from .tables import scale_tables


def _integers(tensor: torch.Tensor, dtype: type) -> np.ndarray:
    array = tensor.detach().numpy()
    if not np.array_equal(array, array.astype(dtype)):
        msg = f"values do not fit into {np.dtype(dtype)}"
        raise ValueError(msg)
    return array.astype(dtype)


def entropy_tensors(model: PicoModel) -> dict[str, np.ndarray]:
    """The exact part: integer layers of the scale decoder, scale tables, table index of each hyperlatent channel."""
    tensors = {}
    for name, layer in model.scale_decoder.named_children():
        weight, bias, level_bias = layer.integers()
        tensors[f"{name}.weight"] = _integers(weight, np.int8)
        tensors[f"{name}.bias"] = _integers(bias, np.int32)
        if level_bias is not None:
            tensors[f"{name}.level_bias"] = _integers(level_bias, np.int32)
    tensors["tables.radii"], tensors["tables.frequencies"] = scale_tables()
    tensors["hyperlatents.index"] = _integers(model.hyper_index(), np.uint8)
    return tensors


def write_encoder(model: PicoModel, tune: str, path: Path) -> None:
    """The ONNX file of one of the model's encoders, for windows of any multiple of 64 pixels."""
    h, w = Dim("h", min=1, max=64), Dim("w", min=1, max=64)
    write_onnx(
        AnalysisGraph(model, tune),
        (torch.zeros(1, 48, 32, 48, dtype=torch.uint8), torch.tensor([3.5])),
        ["blocks", "level"],
        ["latents", "hyperlatents"],
        ({2: 16 * h, 3: 16 * w}, None),
        path,
    )


def write_networks(model: PicoModel, folder: Path) -> None:
    """The ONNX files of a model (see :mod:`pico_plugins.weights`), for windows of any multiple of 64 pixels."""
    latents, hyper = model.config.latents, model.config.hyperlatents
    # Sizes that differ from each other, so that the export cannot take one for the other.
    h, w = Dim("h", min=1, max=64), Dim("w", min=1, max=64)
    level, grid, phases = torch.tensor([3.5]), (1, latents, 8, 12), (1, 4 * latents, 4, 6)
    coarse, middle, fine = {2: h, 3: w}, {2: 2 * h, 3: 2 * w}, {2: 4 * h, 3: 4 * w}
    z = torch.zeros(1, hyper, 2, 3)
    for tune in TUNES if model.eye_encoder is not None else TUNES[:1]:
        write_encoder(model, tune, folder / ANALYSIS_FILES[tune])
    write_onnx(
        QuantizerGraph(model),
        (z, torch.zeros(phases), torch.ones(phases, dtype=torch.uint8), level),
        ["hyperlatents", "latents", "coded", "level"],
        ["symbols"],
        (coarse, middle, middle, None),
        folder / "quantizer.onnx",
    )
    write_onnx(
        DequantizerGraph(model),
        (z, torch.zeros(phases), level),
        ["hyperlatents", "symbols", "level"],
        ["latents"],
        (coarse, middle, None),
        folder / "dequantizer.onnx",
    )
    for reduction, name in SYNTHESIS_FILES.items():
        write_onnx(
            SynthesisGraph(model, reduction),
            (torch.zeros(grid), level),
            ["latents", "level"],
            ["blocks"],
            (fine, None),
            folder / name,
        )
    if model.detail is not None:
        write_onnx(
            PerceptualGraph(model),
            (torch.zeros(grid), level, torch.zeros(1)),
            ["latents", "level", "realism"],
            ["blocks"],
            (fine, None, None),
            folder / PERCEPTUAL_FILE,
        )


def write_bundle(model: PicoModel, into: Path, facts: dict[str, str]) -> str:
    """Write ``model`` as a new folder below ``into``, named by its id, and return the id.

    ``facts`` (how it was trained) go into the manifest.
    """
    with tempfile.TemporaryDirectory(dir=into) as scratch_name:
        scratch = Path(scratch_name)
        write_networks(model, scratch)
        save_file(entropy_tensors(model), scratch / "entropy.safetensors")
        hashes = {path.name: file_hash(path) for path in sorted(scratch.iterdir())}
        manifest = {"sha256": hashes, "config": json.loads(model.config.to_json()), "training": facts}
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        name = model_id(hashes)
        target = into / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in scratch.iterdir():
            path.replace(target / path.name).chmod(0o644)
    return name


def add_eye_encoder(model: PicoModel, folder: Path) -> None:
    """Put the encoder tuned for the eye of ``model`` beside the other networks in ``folder``; the id stays.

    Raises ``ValueError`` if ``model`` has none, or another entropy model than the one in ``folder``.
    """
    theirs, ours = load_file(folder / "entropy.safetensors"), entropy_tensors(model)
    if theirs.keys() != ours.keys() or any(not np.array_equal(theirs[name], ours[name]) for name in ours):
        msg = f"the encoder was trained for another entropy model than that of {folder.name}"
        raise ValueError(msg)
    write_encoder(model, "eye", folder / ANALYSIS_FILES["eye"])
    note_file(folder, ANALYSIS_FILES["eye"], config=json.loads(model.config.to_json()))
