"""The exact half of a model: scale decoder, scale tables and entropy coder together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ..errors import DamagedError
from .scale_decoder import HYPERLATENT_LIMIT, ScaleDecoder
from .symbol_coder import ScaleTables, SymbolDecoder


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
        decoder = SymbolDecoder(self.tables, data)
        z = decoder.take(self.hyper_indices(*shape))
        if z.min(initial=0) < -HYPERLATENT_LIMIT or z.max(initial=0) > HYPERLATENT_LIMIT:
            msg = "damaged tile: hyperlatent out of range"
            raise DamagedError(msg)
        indices = self.scale_decoder(z, level)
        symbols = decoder.take(indices)
        decoder.finish()
        return z, indices, symbols
