"""The hash that must be equal on every machine. Needs no network, no Pillow and no compiled entropy coder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pico_plugins import weights
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.files import reading
from pico_plugins.format.reader import TileReader, read_header
from pico_plugins.format.tile_grid import Tile
from pico_plugins.format.tile_kind import LOSSLESS, split_tile

FOLDER = Path(__file__).parent


def coded_tiles(data: bytes) -> Iterator[tuple[Tile, bytes, int]]:
    """Every tile that holds symbols, its bytes and its level."""
    with reading(data) as file:
        reader = TileReader(file)
        for tile in reader.header.grid:
            level, colour = split_tile(reader.tile_bytes(tile.number)[0])
            if level != LOSSLESS:
                yield tile, colour, level


def symbols(data: bytes) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Hyperlatents, scale indices and symbols of every such tile."""
    model = EntropyModel(weights.model_folder(read_header(data).model.hex()))
    for tile, colour, level in coded_tiles(data):
        yield model.decode_symbols(colour, tile.coded_shape, level)


def symbols_hash(data: bytes) -> str:
    """SHA-256 over all of them."""
    digest = hashlib.sha256()
    for z, indices, values in symbols(data):
        digest.update(z.astype("<i4").tobytes() + indices.tobytes() + values.astype("<i4").tobytes())
    return digest.hexdigest()
