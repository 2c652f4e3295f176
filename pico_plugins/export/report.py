"""``pico export --report``: what a model costs on a device, beside the paper's figures."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..format.tile_grid import MARGIN, TILE, TileGrid
from ..network import PicoModel
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
}


def _parameters(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def _cell(value: float | str | None) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else value


def report(folder: Path) -> str:
    """A table of the model in ``folder``: its device programs, for one window in float16."""
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
    }
    lines = [f"model {folder.name}, windows of {SIDE} x {SIDE}, float16; decoder = context model and synthesis", ""]
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
