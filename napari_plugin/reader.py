"""Opening .pico files: small images at once, large ones as a pyramid that decodes what is in view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pico_plugins.container import MAGIC

LayerData = tuple[object, dict, str]

LAZY_FROM = 4_000_000
"""Images with more pixels than this become a pyramid."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """The function that reads ``path``, or None if it is no .pico file (or several). Looks at the first bytes only."""
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        (path,) = path
    try:
        with open(path, "rb") as file:
            return read if file.read(len(MAGIC)) == MAGIC else None
    except OSError:
        return None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """One image layer. Raises ``OSError`` or a ``PicoError`` for a damaged file."""
    from pico_plugins.decoder import decode
    from pico_plugins.reader import read_header

    from .progressive import ProgressiveImage
    from .refresh import refresh_layers

    path = path if isinstance(path, str) else path[0]
    header = read_header(path)
    options = {"name": Path(path).stem, "rgb": len(header.shape) == 3, "metadata": header.info()}
    if header.width * header.height <= LAZY_FROM:
        return [(decode(path), options, "image")]
    return [(ProgressiveImage(path, refresh_layers).levels, {**options, "multiscale": True}, "image")]
