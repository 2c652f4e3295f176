"""Several .pico files of one size as one array, whose parts are decoded when they are looked at."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import dask.array as da
import numpy as np

from pico_plugins.decoder import decode_region
from pico_plugins.format.header import Header

CHUNK = 1000
"""About so many pixels is the side of what is decoded at once."""


def stack_levels(paths: Sequence[str], header: Header, reductions: Sequence[int]) -> list[da.Array]:
    """For each of ``reductions``, the images of ``paths`` so many times smaller: uint8 (n, h, w[, 3 or 4]).

    ``header`` is that of any of them: all have the same shape. Damaged tiles raise a ``PicoError`` when they are
    computed at full size; in the reduced images they are gray, with a warning.
    """
    return [_level(paths, header, reduction) for reduction in reductions]


def _level(paths: Sequence[str], header: Header, reduction: int) -> da.Array:
    height, width, *channels = header.shape

    def load(block_info: dict) -> np.ndarray:
        (image, _), (top, bottom), (left, right), *_ = block_info[None]["array-location"]
        ends = min(right * reduction, width), min(bottom * reduction, height)
        damaged: list[int] | None = None if reduction == 1 else []
        options = dict(scale=1 / reduction, threads=1, damaged=damaged)  # dask has threads of its own
        pixels = decode_region(paths[image], (left * reduction, top * reduction, *ends), **options)
        if damaged:
            warnings.warn(f"parts of {paths[image]} stay gray: {len(damaged)} damaged tiles", stacklevel=2)
        return pixels[None]

    chunks = [(1,) * len(paths), *(_spans(side, header.tile, reduction) for side in (height, width))]
    chunks += [(count,) for count in channels]
    return da.map_blocks(load, chunks=tuple(chunks), dtype=np.uint8, meta=np.empty((0,) * len(chunks), np.uint8))


def _spans(side: int, tile: int, reduction: int) -> tuple[int, ...]:
    """Lengths of the chunks along a side, as many whole tiles each as come near ``CHUNK``."""
    small, step = -(-side // reduction), max(1, tile // reduction)
    step *= max(1, CHUNK // step)
    return tuple(min(step, small - start) for start in range(0, small, step))
