"""Backends run the three networks. Each is one module here, imported when it is asked for.

A backend class takes (model folder, threads) and offers the methods of :class:`Networks`. Networks of one tile
at a time: arrays have no batch axis. All methods may be called from several threads at once.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np


class Networks(Protocol):
    """What the codec asks of a backend. ``level`` is 0 ... 7, ``realism`` 0 ... 1."""

    def analyse(self, pixels: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W, 3), sides multiples of 64 -> latents y, float32 (C, H/16, W/16), and hyperlatents z, int32."""

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        """Latents -> int32 symbols round((y - mu) / q), 0 wherever ``coded`` (bool) is not set."""

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        """int32 symbols -> reconstructed latents q * symbol + mu, float32."""

    def synthesise(self, latents: np.ndarray, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        """Reconstructed latents -> uint8 (H, W, 3), or with ``reduction`` 4 or 8 the image that much smaller."""


# name -> (module here, class, package that it needs); the order is that of preference for "auto". bfloat16 comes last:
# its pixels differ by more than a level, so it has to be asked for.
_BACKENDS = {
    "openvino": ("openvino", "OpenVinoNetworks", "openvino"),
    "onnxruntime": ("onnxruntime", "OnnxRuntimeNetworks", "onnxruntime"),
    "openvino-bf16": ("openvino", "OpenVinoBf16Networks", "openvino"),
}


def available() -> list[str]:
    """Names of the backends whose packages are installed and usable in this process, the preferred one first."""
    return [name for name, (_, _, package) in _BACKENDS.items() if package not in _lost and find_spec(package)]


def resolve(name: str | None) -> str:
    """The backend meant by ``name``: itself; for None the environment's PICO_BACKEND; for "auto" the preferred one.

    Raises ``ValueError`` for one that is unknown, not installed or lost by a fork: OpenVINO's threads do not live on in
    a child of a process that has used it, and "auto" means another one there.
    """
    choice = name or os.environ.get("PICO_BACKEND") or "auto"
    installed = available()
    if choice == "auto" and installed:
        return installed[0]
    if choice in _BACKENDS and _BACKENDS[choice][2] in _lost:
        msg = f"backend {choice!r} was used before this process was forked, and cannot be used in it: start processes "
        msg += "with 'spawn' or 'forkserver', or choose 'onnxruntime'"
        raise ValueError(msg)
    if choice not in installed:
        msg = f"backend {choice!r} is not available; installed: {', '.join(installed) or 'none'}"
        raise ValueError(msg)
    return choice


def load(name: str | None, folder: Path, threads: int) -> Networks:
    """The networks in ``folder`` on backend ``name`` (see :func:`resolve`), loaded once and then shared.

    ``threads`` is how many threads one call may use.
    """
    key = resolve(name), folder, threads
    with _loading:
        if key not in _loaded:
            module, cls, _ = _BACKENDS[key[0]]
            _loaded[key] = getattr(importlib.import_module(f".{module}", __name__), cls)(folder, threads)
        return _loaded[key]


_loading = threading.Lock()
_loaded: dict[tuple[str, Path, int], Networks] = {}
_lost: set[str] = set()
"""Packages that were used before a fork and do not work after it."""


def _after_fork() -> None:
    """In the child: another thread may have been anywhere inside what was loaded, so all of it is loaded anew.

    The parent's networks get a reference that is never given back: to take them down without the threads that belong
    to them crashes, even while Python exits.
    """
    global _loading
    _loading = threading.Lock()
    _lost.update({"openvino"} & {_BACKENDS[name][2] for name, _, _ in _loaded})
    for networks in _loaded.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(networks))
    _loaded.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
