"""``pico export --report``: what a model costs on a device, beside the paper's figures."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..backends.onnxruntime import OnnxRuntimeNetworks
from ..format.tile_grid import MARGIN, TILE, TileGrid
from ..network import BRANCHES, PRESETS, PicoModel
from ..network.complexity import kmac_per_pixel
from ..network.shipped import (
    load_analysis,
    load_dequantizer,
    load_perceptual,
    load_quantizer,
    load_synthesis,
    model_config,
)
from ..weights import ANALYSIS_FILES, PERCEPTUAL_FILE, SYNTHESIS_FILES
from .bundle import write_bundle
from .device import SIDE, input_shapes, programs
from .memory import peak_activations

PHOTO = (4032, 3024)
"""What a phone's camera means by 12 megapixels."""

# As published for the paper's encoder and decoder; whether its memory has the weights in it, it does not say.
_PAPER = {
    "parameters, millions": (15.2, 9.6),
    "weights, MB": (30.4, 19.4),
    "kMAC per pixel": (None, "33-48"),
    "peak activations, MB": (None, None),
    "with weights, MB": (38.8, 25.4),
    "ms a tile, one thread": (None, None),
}
_LEVEL, _ROUNDS = 3.0, 7  # of what is timed


def _parameters(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def _cell(value: float | str | None) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else value


def _seconds(folder: Path) -> dict[str, float]:
    """What each program's networks take for one window in ONNX Runtime.

    That is processor time, which on one thread other processes change less than they do the time that passes.
    """
    networks, config = OnnxRuntimeNetworks(folder, 1), model_config(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    coded = np.ones((4 * config.latents, SIDE // 32, SIDE // 32), bool)
    y, z = networks.analyse(pixels, _LEVEL)
    symbols = networks.quantize(z, y, coded, _LEVEL)

    def shown(realism: float) -> None:
        networks.synthesise(networks.dequantize(z, symbols, _LEVEL), _LEVEL, realism)

    works = {
        "encoder": lambda: networks.analyse(pixels, _LEVEL),
        "quantizer": lambda: networks.quantize(z, y, coded, _LEVEL),
        "decoder": lambda: shown(0.0),
        "perceptual": lambda: shown(1.0),
        "encoder-eye": lambda: networks.analyse(pixels, _LEVEL, "eye"),
    }
    found = {}
    for name in programs(folder):
        works[name]()  # loads the networks
        seconds = []
        for _ in range(_ROUNDS):
            start = time.process_time()
            works[name]()
            seconds.append(time.process_time() - start)
        found[name] = statistics.median(seconds)
    return found


def preset_report(preset: str, branch: str | None = None) -> str:
    """:func:`report` of a configuration by its name, with the detail branch of that name, before it is trained.

    Raises ``ValueError`` for names that are not in ``PRESETS`` and ``BRANCHES``.
    """
    for name, known in ((preset, PRESETS), (branch, BRANCHES)):
        if name is not None and name not in known:
            msg = f"{name!r} is none of {', '.join(sorted(known))}"
            raise ValueError(msg)
    config = replace(PRESETS[preset], detail=BRANCHES[branch]) if branch else PRESETS[preset]
    title = f"preset {preset}, {branch} branch" if branch else f"preset {preset}"
    model = PicoModel(config)
    with torch.no_grad():
        for parameter in model.parameters():  # no two alike: an exporter would store them once
            parameter.add_(0.01 * torch.randn_like(parameter))
    with tempfile.TemporaryDirectory() as scratch:
        name = write_bundle(model, Path(scratch), {})
        return report(Path(scratch) / name, title)


def report(folder: Path, title: str | None = None) -> str:
    """A table of the model in ``folder``: its device programs for one window, in float16, and times on this machine."""
    made, dequantizer = programs(folder), load_dequantizer(folder)
    sizes = [
        _parameters(load_analysis(folder)),
        _parameters(load_quantizer(folder)),
        _parameters(dequantizer, load_synthesis(folder).decoder),
    ]

    def file(*names: str) -> float:
        return sum((folder / name).stat().st_size for name in names) / 1e6

    files = [file(ANALYSIS_FILES["pixels"]), file("quantizer.onnx"), file("dequantizer.onnx", SYNTHESIS_FILES[1])]
    macs = kmac_per_pixel(PicoModel(model_config(folder)))
    costs = [macs["encoder"], macs["context"], macs["context"] + macs["decoder"]]
    if "perceptual" in made:
        graph = load_perceptual(folder)
        sizes.append(_parameters(dequantizer, graph.decoder, graph.detail, graph.noise))
        files.append(file("dequantizer.onnx", PERCEPTUAL_FILE))
        costs.append(costs[-1] + macs["detail"])
    if "encoder-eye" in made:
        sizes.append(_parameters(load_analysis(folder, "eye")))
        files.append(file(ANALYSIS_FILES["eye"]))
        costs.append(macs["eye_encoder"])
    peaks = [peak_activations(made[name](folder), list(input_shapes(folder, name).values())) for name in made]
    rows = {
        "parameters, millions": [size / 1e6 for size in sizes],
        "weights, MB": files,
        "kMAC per pixel": costs,
        "peak activations, MB": [peak / 1e6 for peak in peaks],
        "with weights, MB": [(peak + 2 * size) / 1e6 for peak, size in zip(peaks, sizes, strict=True)],
        "ms a tile, one thread": [1000 * seconds for seconds in _seconds(folder).values()],
    }
    title = title or f"model {folder.name}"
    lines = [f"{title}, windows of {SIDE} x {SIDE}, float16; decoder = context model and synthesis", ""]
    lines.append(f"{'':24}" + "".join(f"{name:>12}" for name in made) + f"{'paper encoder':>16}{'paper decoder':>16}")
    for name, ours in rows.items():
        lines.append(
            f"{name:24}" + "".join(f"{_cell(v):>12}" for v in ours) + "".join(f"{_cell(v):>16}" for v in _PAPER[name])
        )
    width, height = PHOTO
    lines += [
        "",
        f"{len(TileGrid(width, height, TILE, MARGIN))} tiles for a photo of {width} x {height} (12.2 megapixels)",
    ]
    return "\n".join(lines)
