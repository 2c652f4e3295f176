"""ONNX Runtime on the CPU: the default backend, and the reference for the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from ..pixel_blocks import from_blocks, to_blocks


class OnnxRuntimeNetworks:
    """See :class:`pico_plugins.backends.Networks`."""

    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]

        def session(name: str) -> onnxruntime.InferenceSession:
            return onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=providers)

        self._analysis, self._context, self._synthesis = map(session, ("analysis", "context", "synthesis"))

    def analyse(self, pixels: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        y, z = self._analysis.run(None, {"blocks": to_blocks(pixels)[None], "level": _scalar(level)})
        return y[0], z[0].astype(np.int32)

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        return self._run_context(z, y, coded, level, encoding=True)[0].astype(np.int32)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        return self._run_context(z, symbols, coded, level, encoding=False)[1]

    def synthesise(self, latents: np.ndarray, level: float, realism: float) -> np.ndarray:
        feed = {"latents": latents[None], "level": _scalar(level), "realism": _scalar(realism)}
        return from_blocks(self._synthesis.run(None, feed)[0][0])

    def _run_context(
        self, z: np.ndarray, given: np.ndarray, coded: np.ndarray, level: float, encoding: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        feed = {
            "hyperlatents": z[None].astype(np.float32),
            "given": given[None].astype(np.float32),
            "coded": coded[None],
            "level": _scalar(level),
            "encoding": np.array([encoding]),
        }
        symbols, latents = self._context.run(None, feed)
        return symbols[0], latents[0]


def _scalar(value: float) -> np.ndarray:
    return np.array([value], np.float32)
