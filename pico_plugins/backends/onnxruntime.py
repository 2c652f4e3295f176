"""ONNX Runtime on the CPU: the default backend, and the reference for the others."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime

from .onnx_networks import OnnxNetworks


class OnnxRuntimeNetworks(OnnxNetworks):
    """See :class:`pico_plugins.backends.Networks`."""

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
