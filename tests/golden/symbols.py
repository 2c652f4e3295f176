"""The hash that must be equal on every machine. Needs no network, no Pillow and no compiled entropy coder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pico_plugins import weights
from pico_plugins.files import reading
from pico_plugins.model import EntropyModel
from pico_plugins.reader import TileReader

FOLDER = Path(__file__).parent


def symbols(data: bytes) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Hyperlatents, scale indices and symbols of every tile."""
    with reading(data) as file:
        tiles = TileReader(file)
        model = EntropyModel(weights.model_folder(tiles.header.model.hex()))
        for tile in tiles.header.grid:
            colour, _ = tiles.tile_bytes(tile.number)
            yield model.decode_symbols(colour, tile.coded_shape, tiles.header.level)


def symbols_hash(data: bytes) -> str:
    """SHA-256 over all of them."""
    digest = hashlib.sha256()
    for z, indices, values in symbols(data):
        digest.update(z.astype("<i4").tobytes() + indices.tobytes() + values.astype("<i4").tobytes())
    return digest.hexdigest()
