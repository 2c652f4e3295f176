"""One model at work on one window: networks, integer scale decoder and entropy coder together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import backends, weights
from ..entropy.entropy_model import EntropyModel
from ..entropy.scale_decoder import HYPERLATENT_LIMIT
from ..entropy.symbol_coder import SymbolEncoder
from ..quality import LEVEL_STEPS


class Model:
    """Codes single windows. Safe to share between threads."""

    def __init__(self, name: str, backend: str | None = None) -> None:
        """``name`` is a model id, 16 hex digits. Errors as :func:`weights.model_folder`, :func:`backends.load`."""
        folder = weights.model_folder(name)
        self.entropy = _entropy_model(folder)
        # Parallelism comes from tiles, one thread each: results then cannot depend on the number of threads.
        self.networks = backends.load(backend, folder, 1)

    def encode_window(self, pixels: np.ndarray, level: int, tune: str = "pixels") -> bytes:
        """uint8 (H, W, 3), sides multiples of 64 -> bytes; ``level`` in 1/32, ``tune`` one of ``quality.TUNES``."""
        y, z = self.networks.analyse(pixels, level / LEVEL_STEPS, tune)
        hyper_indices = self.entropy.hyper_indices(*pixels.shape[:2])
        z = np.where(hyper_indices > 0, np.clip(z, -HYPERLATENT_LIMIT, HYPERLATENT_LIMIT), 0).astype(np.int32)
        indices = self.entropy.scale_decoder(z, level)
        symbols = self.networks.quantize(z, y, indices > 0, level / LEVEL_STEPS)
        encoder = SymbolEncoder(self.entropy.tables)
        encoder.add(z, hyper_indices)
        encoder.add(symbols, indices)
        return encoder.finish()

    def decode_window(
        self, data: bytes, shape: tuple[int, int], level: int, realism: float, reduction: int = 1
    ) -> np.ndarray:
        """Bytes -> uint8 (H, W, 3) of ``shape`` (H, W), multiples of 64; or 2, 4 or 8 times smaller."""
        z, _, symbols = self.entropy.decode_symbols(data, shape, level)
        latents = self.networks.dequantize(z, symbols, level / LEVEL_STEPS)
        return self.networks.synthesise(latents, level / LEVEL_STEPS, realism, reduction)


_entropy_model = lru_cache(maxsize=4)(EntropyModel)
