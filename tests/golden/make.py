"""Write the golden files anew: ``python -m tests.golden.make``. Only when weights or format change, on purpose."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image, ImageDraw

import pico_plugins
from tests.conftest import PHOTO
from tests.golden.symbols import FOLDER, symbols_hash


def with_text(photo: np.ndarray) -> np.ndarray:
    """``photo`` with black text on white over its left part, that no lossy tile keeps well."""
    page = Image.fromarray(photo)
    page.paste((255, 255, 255), (0, 0, page.width // 2, page.height))
    ImageDraw.Draw(page).multiline_text((2, 0), "pico 0123\nplugins\nstrict gq", fill=(0, 0, 0))
    return np.asarray(page)


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
        "perceptual": (photo[120:248, 200:390], {"quality": 30, "realism": 1.0}),
        "rgba-tiles": (np.dstack([photo[90:200, 300:450], alpha]), {"quality": 60, "tile": 64, "metadata": metadata}),
        "gray": (ramp, {"quality": 75}),
        "strict": (with_text(photo[:90, 300:450]), {"quality": 40, "tile": 64, "fidelity": "strict"}),
        "one-pixel": (photo[:1, :1], {"quality": 75}),
    }


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
