"""Write the golden files anew: ``python -m tests.golden.make``. Only when weights or format change, on purpose."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

import pico_plugins
from pico_plugins.model import Model
from tests.conftest import PHOTO

FOLDER = Path(__file__).parent


def images() -> dict[str, tuple[np.ndarray, dict]]:
    """Small pictures that reach every part of the format."""
    with Image.open(PHOTO) as image:
        photo = np.asarray(image)
    alpha = np.linspace(0, 255, 150).astype(np.uint8)[None, :, None].repeat(110, 0)
    metadata = pico_plugins.Metadata(exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0", xmp=b"<x/>", text={"Title": "golden"})
    ramp = (np.arange(64)[:, None] * 2 + np.arange(80)).astype(np.uint8)
    return {
        "rgb-q30": (photo[120:248, 200:390], {"quality": 30}),
        "rgb-q95": (photo[200:264, 250:330], {"quality": 95}),
        "rgba-tiles": (np.dstack([photo[90:200, 300:450], alpha]), {"quality": 60, "tile": 64, "metadata": metadata}),
        "gray": (ramp, {"quality": 75}),
        "one-pixel": (photo[:1, :1], {"quality": 75}),
    }


def symbols_hash(data: bytes) -> str:
    """SHA-256 over all hyperlatents, scale indices and symbols: what must be equal on every machine."""
    from pico_plugins.files import reading
    from pico_plugins.reader import TileReader

    digest = hashlib.sha256()
    with reading(data) as file:
        tiles = TileReader(file)
        model = Model(tiles.header.model.hex())
        for tile in tiles.header.grid:
            colour, _ = tiles.tile_bytes(tile.number)
            z, indices, symbols = model.decode_symbols(colour, tile.coded_shape, tiles.header.level)
            digest.update(z.astype("<i4").tobytes() + indices.tobytes() + symbols.astype("<i4").tobytes())
    return digest.hexdigest()


def main() -> None:
    """Files, pixels (PNG) and hashes."""
    hashes = {}
    for name, (pixels, options) in images().items():
        data = pico_plugins.encode(np.ascontiguousarray(pixels), **options)
        (FOLDER / f"{name}.pico").write_bytes(data)
        Image.fromarray(pico_plugins.decode(data)).save(FOLDER / f"{name}.png", optimize=True)
        hashes[name] = symbols_hash(data)
    (FOLDER / "symbols.json").write_text(json.dumps(hashes, indent=1) + "\n")


if __name__ == "__main__":
    main()
