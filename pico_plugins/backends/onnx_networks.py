"""What backends that run a model's ONNX files have in common: the arrays around each file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..entropy.phases import from_phases
from ..weights import analysis_file, synthesis_file
from .feeds import dequantizer_feed, quantizer_feed, realism_feed, scalar
from .pixel_blocks import from_blocks, to_blocks


class OnnxNetworks:
    """:class:`pico_plugins.backends.Networks` for whoever can run a file of ``_folder``."""

    _folder: Path

    def _run(self, file: str, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of a file of the model's folder, in order."""
        raise NotImplementedError

    def analyse(self, pixels: np.ndarray, level: float, tune: str = "pixels") -> tuple[np.ndarray, np.ndarray]:
        y, z = self._run(analysis_file(self._folder, tune), {"blocks": to_blocks(pixels)[None], "level": scalar(level)})
        return y[0], z[0].astype(np.int32)

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        (symbols,) = self._run("quantizer.onnx", quantizer_feed(z, y, coded, level))
        return symbols[0].astype(np.int32)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, level: float) -> np.ndarray:
        (latents,) = self._run("dequantizer.onnx", dequantizer_feed(z, symbols, level))
        return from_phases(latents[0], np.float32)

    def synthesise(self, latents: np.ndarray, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        file = synthesis_file(self._folder, realism, reduction)
        feed = {"latents": latents[None], "level": scalar(level)} | realism_feed(file, realism)
        return from_blocks(self._run(file, feed)[0][0])
