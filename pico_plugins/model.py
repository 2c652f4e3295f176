"""One model at work on one tile: networks, integer scale decoder and entropy coder together."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from . import backends, weights
from .errors import DamagedError
from .latent_coder import ScaleTables, TileDecoder, TileEncoder
from .quality import LEVEL_STEPS
from .scale_decoder import HYPERLATENT_LIMIT, ScaleDecoder


class EntropyModel:
    """The exact part of a model: scale decoder, scale tables, and the table of each hyperlatent channel."""

    def __init__(self, folder: Path) -> None:
        tensors = load_file(folder / "entropy.safetensors")
        self.tables = ScaleTables(tensors["tables.radii"], tensors["tables.frequencies"])
        self.scale_decoder = ScaleDecoder(tensors, len(self.tables))
        self.hyper_index = tensors["hyperlatents.index"].astype(np.uint8)
        self.latents = len(tensors["head.bias"])

    def hyper_indices(self, height: int, width: int) -> np.ndarray:
        """Table index of every hyperlatent of a tile of that many pixels."""
        shape = (len(self.hyper_index), height // 64, width // 64)
        return np.broadcast_to(self.hyper_index[:, None, None], shape)

    def decode_symbols(
        self, data: bytes, shape: tuple[int, int], level: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The exact half of decoding a tile of ``shape`` pixels: hyperlatents; scale indices and symbols, in phases.

        Raises :class:`DamagedError` if the bytes cannot be a tile of that shape.
        """
        decoder = TileDecoder(self.tables, data)
        z = decoder.take(self.hyper_indices(*shape))
        if z.min(initial=0) < -HYPERLATENT_LIMIT or z.max(initial=0) > HYPERLATENT_LIMIT:
            msg = "damaged tile: hyperlatent out of range"
            raise DamagedError(msg)
        indices = self.scale_decoder(z, level)
        symbols = decoder.take(indices)
        decoder.finish()
        return z, indices, symbols


class Model:
    """Codes single tiles. Safe to share between threads."""

    def __init__(self, name: str, backend: str | None = None) -> None:
        """``name`` is a model id, 16 hex digits. Errors as :func:`weights.model_folder`, :func:`backends.load`."""
        folder = weights.model_folder(name)
        self.entropy = _entropy_model(folder)
        # Parallelism comes from tiles, one thread each: results then cannot depend on the number of threads.
        self.networks = backends.load(backend, folder, 1)

    def encode_tile(self, pixels: np.ndarray, level: int, tune: str = "pixels") -> bytes:
        """uint8 (H, W, 3), sides multiples of 64 -> bytes; ``level`` in 1/32, ``tune`` one of ``quality.TUNES``."""
        y, z = self.networks.analyse(pixels, level / LEVEL_STEPS, tune)
        hyper_indices = self.entropy.hyper_indices(*pixels.shape[:2])
        z = np.where(hyper_indices > 0, np.clip(z, -HYPERLATENT_LIMIT, HYPERLATENT_LIMIT), 0).astype(np.int32)
        indices = self.entropy.scale_decoder(z, level)
        symbols = self.networks.quantize(z, y, indices > 0, level / LEVEL_STEPS)
        encoder = TileEncoder(self.entropy.tables)
        encoder.add(z, hyper_indices)
        encoder.add(symbols, indices)
        return encoder.finish()

    def decode_tile(
        self, data: bytes, shape: tuple[int, int], level: int, realism: float, reduction: int = 1
    ) -> np.ndarray:
        """Bytes -> uint8 (H, W, 3) of ``shape`` (H, W), multiples of 64; or 2, 4 or 8 times smaller."""
        z, _, symbols = self.entropy.decode_symbols(data, shape, level)
        latents = self.networks.dequantize(z, symbols, level / LEVEL_STEPS)
        return self.networks.synthesise(latents, level / LEVEL_STEPS, realism, reduction)


_entropy_model = lru_cache(maxsize=4)(EntropyModel)
