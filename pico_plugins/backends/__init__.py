"""Backends run the networks. Each is one module here, imported when it is asked for.

A backend class takes (model folder, threads) and offers the methods of :class:`Networks`. Networks of one tile
at a time: arrays have no batch axis. All methods may be called from several threads at once.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import threading
import warnings
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ..telemetry import disabled_for_openvino


class Networks(Protocol):
    """What the codec asks of a backend. ``level`` is 0 ... 7, ``realism`` 0 ... 1."""

    def analyse(self, pixels: np.ndarray, level: float, tune: str = "pixels") -> tuple[np.ndarray, np.ndarray]:
        """uint8 (H, W, 3), sides multiples of 64 -> latents y, float32 (C, H/16, W/16), and hyperlatents z, int32.

        ``tune`` chooses the encoder. Raises :class:`~pico_plugins.errors.UnsupportedError` where the model has none.
        """

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        """Latents -> int32 symbols round((y - mu) / q) (4 C, H/32, W/32), 0 wherever ``coded`` (bool) is not set.

        Symbols and ``coded`` are in phases, see :mod:`pico_plugins.entropy.phases`.
        """

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, level: float) -> np.ndarray:
        """int32 symbols in phases, 0 where nothing is coded -> latents q * symbol + mu, float32 (C, H/16, W/16).

        Or what :meth:`synthesise` takes instead.
        """

    def synthesise(self, latents: np.ndarray, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        """Reconstructed latents -> uint8 (H, W, 3), or with ``reduction`` 2, 4 or 8 the image that much smaller."""


class _Backend(NamedTuple):
    module: str
    cls: str
    packages: tuple[str, ...]
    extra: str
    platform: str = ""


# The order is that of preference for "auto", which never comes past onnxruntime: the ones after it are slower on a CPU,
# or their pixels differ by more than a level, or (torch on a GPU) loading costs seconds. They have to be asked for.
_BACKENDS = {
    "onnxruntime": _Backend("onnxruntime", "OnnxRuntimeNetworks", ("onnxruntime",), ""),
    "openvino": _Backend("openvino", "OpenVinoNetworks", ("openvino",), "fast"),
    "torch": _Backend("torch", "TorchNetworks", ("torch", "onnx"), "torch"),
    "openvino-bf16": _Backend("openvino", "OpenVinoBf16Networks", ("openvino",), "fast"),
    "coreml": _Backend("coreml", "CoreMlNetworks", ("coremltools",), "coreml", "darwin"),
}


def available() -> list[str]:
    """Names of the backends whose packages are installed and usable in this process, the preferred one first."""
    return [name for name in _BACKENDS if name not in unavailable()]


def unavailable() -> dict[str, str]:
    """The other backends, and what each lacks here."""
    lacks = {}
    for name, backend in _BACKENDS.items():
        if backend.platform and sys.platform != backend.platform:
            lacks[name] = "runs on macOS only"
        elif _lost.intersection(backend.packages):
            lacks[name] = "was used before this process was forked, and cannot be used in it: start processes with "
            lacks[name] += "'spawn' or 'forkserver', or choose 'onnxruntime'"
        elif not all(map(_is_installed, backend.packages)):
            wanted = f"'pico-plugins[{backend.extra}]'" if backend.extra else " ".join(backend.packages)
            lacks[name] = f"not installed: pip install {wanted}"
        elif backend.module in _broken:
            lacks[name] = f"is installed, but cannot be imported: {_broken[backend.module]}"
    return lacks


def _is_installed(package: str) -> bool:
    """A folder without a package in it, as some uninstallers leave one, does not count."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def resolve(name: str | None) -> str:
    """The backend meant by ``name``: itself; for None the environment's PICO_BACKEND; for "auto" the preferred one.

    Raises ``ValueError`` for one that is unknown, not installed, found broken or lost by a fork: OpenVINO's threads do
    not live on in a child of a process that has used it, and "auto" means another one there.
    """
    choice = name or os.environ.get("PICO_BACKEND") or "auto"
    origin = "" if name or choice == "auto" else ", which the environment's PICO_BACKEND names,"
    installed = available()
    if choice == "auto" and installed:
        return installed[0]
    if isinstance(choice, str) and choice in _BACKENDS:
        backend = _BACKENDS[choice]
        if _lost.intersection(backend.packages) or backend.module in _broken:
            msg = f"backend {choice!r} {unavailable()[choice]}"
            raise ValueError(msg)
    if choice not in installed:
        msg = f"backend {choice!r}{origin} is not available; installed: {', '.join(installed) or 'none'}"
        msg += "".join(f"; {module} cannot be imported: {reason}" for module, reason in _broken.items())
        raise ValueError(msg)
    return choice


def load(name: str | None, folder: Path, threads: int) -> Networks:
    """The networks in ``folder`` on backend ``name`` (see :func:`resolve`), loaded once and then shared.

    ``threads`` is how many threads one call may use. That a backend's package is installed but broken shows only now:
    "auto" then means the next one, with a ``RuntimeWarning``; asked for by name it is a ``ValueError``.
    """
    with _loading:
        while (key := (resolve(name), folder, threads)) not in _loaded:
            backend = _BACKENDS[key[0]]
            try:
                with disabled_for_openvino() if "openvino" in backend.packages else nullcontext():
                    module = importlib.import_module(f".{backend.module}", __name__)
            except Exception as error:  # libraries that do not fit raise all kinds
                _broken[backend.module] = f"{type(error).__name__}: {error}"
                instead = resolve(name)
                msg = f"backend {key[0]!r} {unavailable()[key[0]]}; {instead!r} is used"
                warnings.warn(msg, RuntimeWarning, stacklevel=2)
            else:
                _loaded[key] = getattr(module, backend.cls)(folder, threads)
        return _loaded[key]


_loading = threading.Lock()
_loaded: dict[tuple[str, Path, int], Networks] = {}
_lost: set[str] = set()
"""Packages that were used before a fork and do not work after it."""
_broken: dict[str, str] = {}
"""Modules of backends that could not be imported though their packages are installed, and why."""


def _after_fork() -> None:
    """In the child: another thread may have been anywhere inside what was loaded, so all of it is loaded anew.

    The parent's networks get a reference that is never given back: to take them down without the threads that belong
    to them crashes, even while Python exits.
    """
    global _loading
    _loading = threading.Lock()
    _lost.update({"openvino"} & {package for name, _, _ in _loaded for package in _BACKENDS[name].packages})
    for networks in _loaded.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(networks))
    _loaded.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
