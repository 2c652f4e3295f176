"""PyTorch on CUDA, Apple's GPU or the CPU, whichever comes first (extra ``torch``). Importing PyTorch takes seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from ..entropy.phases import from_phases
from ..network.shipped import load_analysis, load_dequantizer, load_perceptual, load_quantizer, load_synthesis
from ..weights import PERCEPTUAL_FILE, analysis_file, synthesis_file
from .feeds import dequantizer_feed, quantizer_feed, realism_feed, scalar
from .pixel_blocks import from_blocks, to_blocks


def best_device() -> torch.device:
    """CUDA if there is a GPU, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class TorchNetworks:
    """See :class:`pico_plugins.backends.Networks`. float32 everywhere: no TF32, which is off by levels."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads, self.device = folder, threads, best_device()
        self._modules: dict[str, torch.nn.Module] = {}
        self._loading = threading.Lock()
        self._openmp = ThreadpoolController().select(user_api="openmp")
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def _rules(self) -> Iterator[None]:
        """What holds while a network runs, and is undone afterwards: it is the host program's PyTorch."""
        if self.device.type == "cpu":
            torch.get_num_threads()  # a thread's first call sets its OpenMP limit: before ours, please
            with self._openmp.limit(limits=self._threads), torch.inference_mode():
                yield
            return
        matmul = torch.backends.cuda.matmul
        # A GPU does one thing at a time anyhow, and these settings belong to the process.
        with self._one_at_a_time, torch.inference_mode():
            before, matmul.allow_tf32 = matmul.allow_tf32, False
            try:
                with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                    yield
            finally:
                matmul.allow_tf32 = before

    def _module(self, name: str, load: Callable[[Path], torch.nn.Module]) -> torch.nn.Module:
        """A network, loaded when it is first asked for."""
        module = self._modules.get(name)
        if module is None:
            with self._loading:
                module = self._modules.get(name)
                if module is None:
                    module = self._modules[name] = load(self._folder).to(self.device)
        return module

    def _run(
        self, name: str, load: Callable[[Path], torch.nn.Module], feed: list[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        module = self._module(name, load)
        with self._rules():
            results = module(*(torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in feed))
            return tuple(result.cpu().numpy() for result in (results if isinstance(results, tuple) else (results,)))

    def analyse(self, pixels: np.ndarray, level: float, tune: str = "pixels") -> tuple[np.ndarray, np.ndarray]:
        file = analysis_file(self._folder, tune)
        y, z = self._run(file, partial(load_analysis, tune=tune), [to_blocks(pixels)[None], scalar(level)])
        return y[0], z[0].astype(np.int32)

    def quantize(self, z: np.ndarray, y: np.ndarray, coded: np.ndarray, level: float) -> np.ndarray:
        feed = quantizer_feed(z, y, coded, level)
        (symbols,) = self._run("quantizer", load_quantizer, list(feed.values()))
        return symbols[0].astype(np.int32)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, level: float) -> np.ndarray:
        feed = dequantizer_feed(z, symbols, level)
        (latents,) = self._run("dequantizer", load_dequantizer, list(feed.values()))
        return from_phases(latents[0], np.float32)

    def synthesise(self, latents: np.ndarray, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        file = synthesis_file(self._folder, realism, reduction)
        load = load_perceptual if file == PERCEPTUAL_FILE else partial(load_synthesis, reduction=reduction)
        feed = {"latents": latents[None], "level": scalar(level)} | realism_feed(file, realism)
        (blocks,) = self._run(file, load, list(feed.values()))
        return from_blocks(blocks[0])
