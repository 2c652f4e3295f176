"""ONNX Runtime on the CPU: the default backend, and the reference for the others."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime

from ..phases import from_phases
from ..pixel_blocks import from_blocks, to_blocks
from ..weights import SYNTHESIS_FILES
from .feeds import context_feed, scalar


class OnnxRuntimeNetworks:
    """See :class:`pico_plugins.backends.Networks`."""

    own_threads = False

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._loading = threading.Lock()

    def _run(self, file: str, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run a network of the folder, loaded when it is first asked for: a reader has no use for the encoder."""
        session = self._sessions.get(file)
        if session is None:
            with self._loading:
                session = self._sessions.get(file)
                if session is None:
                    providers = ["CPUExecutionProvider"]
                    session = onnxruntime.InferenceSession(self._folder / file, self._options, providers=providers)
                    self._sessions[file] = session
        return session.run(None, feed)

    def analyse(self, pixels: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        y, z = self._run("analysis.onnx", {"blocks": to_blocks(pixels)[None], "level": scalar(level)})
        return y[0], z[0].astype(np.int32)

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        symbols, _ = self._run("context.onnx", context_feed(z, y, coded, level, encoding=True))
        return from_phases(symbols[0], np.int32)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        _, latents = self._run("context.onnx", context_feed(z, symbols, coded, level, encoding=False))
        return from_phases(latents[0], np.float32)

    def synthesise(self, latents: np.ndarray, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        feed = {"latents": latents[None], "level": scalar(level), "realism": scalar(realism)}
        return from_blocks(self._run(SYNTHESIS_FILES[reduction], feed)[0][0])
