"""The device programs as Core ML packages (extra ``coreml``; converting needs no Mac, running does)."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .device import OUTPUTS, SIDE, input_shapes, programs
from .palette import palette

# Core ML's own libraries are missing off the Mac, and it says so in a dozen lines when it is imported.
logging.getLogger("coremltools").setLevel(logging.CRITICAL)

import coremltools as ct  # noqa: E402
from coremltools.optimize import coreml as compression  # noqa: E402

WEIGHTS = ("float16", "int8", "palettized")
PIXELS = ("image", "tensor")


def trace(folder: Path, program: str) -> torch.jit.ScriptModule:
    """The graph that is converted, in float32. ``.half()`` gives what a device computes, up to the order of sums."""
    module = programs(folder)[program](folder).eval()
    examples = tuple(torch.zeros(shape) for shape in input_shapes(folder, program).values())
    with _silence(), torch.no_grad():
        return torch.jit.trace(module, examples, check_trace=False)


def convert(folder: Path, program: str, traced: nn.Module, *, image: bool) -> ct.models.MLModel:
    """A traced program as an mlprogram in float16, for iOS 17 or macOS 14.

    ``image``: pixels are Core ML images (RGB), else tensors (1, 3, 512, 512) of 0 ... 255 in float16.
    """

    def port(name: str, **shape: tuple[int, ...]) -> ct.TensorType | ct.ImageType:
        if name == "image" and image:
            return ct.ImageType(name=name, color_layout=ct.colorlayout.RGB, **shape)
        return ct.TensorType(name=name, dtype=np.float16, **shape)

    with _silence():
        return ct.convert(
            traced,
            inputs=[port(name, shape=shape) for name, shape in input_shapes(folder, program).items()],
            outputs=[port(name) for name in OUTPUTS[program]],
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT16,
            minimum_deployment_target=ct.target.iOS17,
            skip_model_load=True,
        )


def compress(model: ct.models.MLModel, weights: str) -> ct.models.MLModel:
    """``model`` with its large weights as :data:`WEIGHTS` has it.

    int8 is linear and symmetric with one scale for each channel; palettized has 64 values for each weight tensor.
    """
    with _silence():
        if weights == "int8":
            linear = compression.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8")
            return compression.linear_quantize_weights(model, compression.OptimizationConfig(global_config=linear))
        if weights == "palettized":
            chosen = compression.OpPalettizerConfig(mode="custom", lut_function=palette)
            return compression.palettize_weights(model, compression.OptimizationConfig(global_config=chosen))
    return model


@contextmanager
def _silence() -> Iterator[None]:
    """Without a dozen progress bars and the warnings of versions that work."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def write_packages(folder: Path, into: Path, *, weights: str = "float16", image: bool = True) -> list[Path]:
    """Convert all programs of the model in ``folder`` and save them as ``into/<program>.mlpackage``."""
    written = []
    for program in programs(folder):
        model = compress(convert(folder, program, trace(folder, program), image=image), weights)
        model.short_description = f"PICO image codec: {program}, windows of {SIDE} x {SIDE} pixels"
        model.author, model.license, model.version = "pico-plugins", "MIT", folder.name
        model.user_defined_metadata.update(
            {
                "pico.model_id": folder.name,
                "pico.program": program,
                "pico.levels": "0 ... 7 (quality 1 ... 100)",
                "pico.window": str(SIDE),
                "pico.weights": weights,
                "pico.pixels": "image" if image else "tensor",
            }
        )
        path = into / f"{program}.mlpackage"
        model.save(str(path))
        written.append(path)
    return written
