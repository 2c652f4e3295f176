"""Opening .pico files: small images at once, large ones as a pyramid that decodes what is in view."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pico_plugins.format.container import MAGIC

if TYPE_CHECKING:
    from pico_plugins.format.header import Header

LayerData = tuple[object, dict, str]
Paths = str | os.PathLike | Sequence[str | os.PathLike]

LAZY_FROM = 4_000_000
"""Images with more pixels than this become a pyramid."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """The function that reads ``path``, or None if not all of it are .pico files. Looks at their first bytes only."""
    paths = _listed(path)
    return read if paths and all(_is_pico(path) for path in paths) else None


def read(path: Paths) -> list[LayerData]:
    """One image layer; of several paths, a stack of them.

    Raises ``OSError`` or a ``PicoError`` for a damaged file, ``ValueError`` for a stack of different sizes.
    """
    from pico_plugins.decoder import decode
    from pico_plugins.format.reader import read_header

    from .progressive import ProgressiveImage
    from .refresh import refresh_layers

    path, *others = _listed(path)
    header = read_header(path)
    options = {"name": Path(path).stem, "rgb": len(header.shape) == 3}
    large = header.width * header.height > LAZY_FROM
    if others:
        return [_read_stack([path, *others], header, {**options, "multiscale": large})]
    options["metadata"] = header.info()
    if large:
        return [(ProgressiveImage(path, refresh_layers).levels, {**options, "multiscale": True}, "image")]
    return [(decode(path), options, "image")]


def _read_stack(paths: list[str], header: Header, options: dict) -> LayerData:
    from pico_plugins.format.reader import read_header

    from .stack import stack_levels

    for path in paths[1:]:
        shape = read_header(path).shape
        if shape != header.shape:
            sizes = " and ".join(" x ".join(map(str, each)) for each in (header.shape, shape))
            msg = f"only images of one size and kind can be stacked, but {paths[0]} and {path} are {sizes}"
            raise ValueError(msg)
    levels = stack_levels(paths, header, (1, 2, 4, 8) if options["multiscale"] else (1,))
    return levels if options["multiscale"] else levels[0], options, "image"


def _listed(path: Paths) -> list[str]:
    return [os.fspath(path)] if isinstance(path, str | os.PathLike) else [os.fspath(each) for each in path]


def _is_pico(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
