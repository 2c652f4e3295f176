"""Core ML on a Mac: runs the packages that ``pico export --target coreml --pixels tensor`` writes (extra ``coreml``).

They take windows of 512 x 512 pixels only; windows of another size, reduced images and the encoder tuned for the eye go
to ONNX Runtime.
Core ML runs nowhere else, so nothing here has been run by our tests but the handling of arrays, with the same graphs in
PyTorch. Its float16 pixels are not within a level of the reference's: never the default.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np

from ..entropy.phases import from_phases, to_phases
from ..weights import PERCEPTUAL_FILE
from .feeds import Symbols
from .onnxruntime import OnnxRuntimeNetworks

PROGRAMS = ("encoder", "quantizer", "decoder")
PERCEPTUAL = "perceptual"  # of models that have a detail branch


def _four_axes(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float16)


class CoreMlNetworks:
    """See :class:`pico_plugins.backends.Networks`. The packages' folder is named by the variable ``PICO_COREML``."""

    side = 512

    def __init__(self, folder: Path, threads: int) -> None:
        """Raises ``ValueError`` off the Mac, and where there are no packages of this model."""
        self._others = OnnxRuntimeNetworks(folder, threads)
        self._one_at_a_time = threading.Lock()
        self._perceptual = (folder / PERCEPTUAL_FILE).exists()
        self._open(folder)

    def _open(self, folder: Path) -> None:
        if sys.platform != "darwin":
            msg = "Core ML runs on macOS only"
            raise ValueError(msg)
        import coremltools

        packages = Path(os.environ.get("PICO_COREML", "."))
        self._programs = {}
        for name in (*PROGRAMS, PERCEPTUAL) if self._perceptual else PROGRAMS:
            path = packages / f"{name}.mlpackage"
            if not path.exists():
                msg = f"no {path}: run `pico export --target coreml --pixels tensor`, set PICO_COREML to its folder"
                raise ValueError(msg)
            program = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_AND_NE)
            found = program.user_defined_metadata
            if found.get("pico.model_id") != folder.name or found.get("pico.pixels") != "tensor":
                msg = f"{path} is not made for model {folder.name} with --pixels tensor"
                raise ValueError(msg)
            self._programs[name] = program

    def _predict(self, program: str, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one program; all arrays float16."""
        with self._one_at_a_time:
            return self._programs[program].predict(feed)

    def analyse(self, pixels: np.ndarray, level: float, tune: str = "pixels") -> tuple[np.ndarray, np.ndarray]:
        if pixels.shape[:2] != (self.side, self.side) or tune != "pixels":
            return self._others.analyse(pixels, level, tune)
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None].astype(np.float16)
        results = self._predict("encoder", {"image": image, "level": _four_axes(level)})
        return results["latents"][0].astype(np.float32), results["hyperlatents"][0].astype(np.int32)

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        if z.shape[1:] != (self.side // 64, self.side // 64):
            return self._others.quantize(z, y, coded, level)
        feed = {"hyperlatents": z, "latents": y, "coded": from_phases(coded, np.float16)}
        feed = {name: array[None].astype(np.float16) for name, array in feed.items()}
        symbols = self._predict("quantizer", feed | {"level": _four_axes(level)})["symbols"][0]
        return to_phases(symbols, np.int32)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, level: float) -> np.ndarray | Symbols:
        if z.shape[1:] != (self.side // 64, self.side // 64):
            return self._others.dequantize(z, symbols, level)
        return Symbols(z, symbols)

    def synthesise(self, latents: np.ndarray | Symbols, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        if isinstance(latents, Symbols) and reduction == 1:
            feed = {"hyperlatents": latents.z, "symbols": from_phases(latents.symbols, np.float16)}
            feed = {name: array[None].astype(np.float16) for name, array in feed.items()}
            feed["level"] = _four_axes(level)
            program = "decoder"
            if realism > 0 and self._perceptual:
                program, feed["realism"] = PERCEPTUAL, _four_axes(realism)
            return self._predict(program, feed)["image"][0].transpose(1, 2, 0).astype(np.uint8)
        if isinstance(latents, Symbols):
            latents = self._others.dequantize(latents.z, latents.symbols, level)
        return self._others.synthesise(latents, level, realism, reduction)
