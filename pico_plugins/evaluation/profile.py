"""Where the time of encoding and decoding goes, on one thread."""

from __future__ import annotations

import cProfile
import pstats
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import backends
from ..backends.pixel_blocks import from_blocks, to_blocks
from ..decoder import decode
from ..encoder import encode
from ..entropy.scale_decoder import ScaleDecoder
from ..entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from ..format.tile_grid import Tile, place

NETWORKS = {"encode": ("encoder", "context model"), "decode": ("context model", "decoder")}
_CALLERS = {"analyse": "encoder", "synthesise": "decoder"}  # whoever else runs a network wants the context model
_STAGES = {
    "scale decoder": (ScaleDecoder.__call__,),
    "entropy coding": (
        SymbolEncoder.add,
        SymbolEncoder.finish,
        SymbolDecoder.__init__,
        SymbolDecoder.take,
        SymbolDecoder.finish,
    ),
    "pixels": (Tile.gather, to_blocks, from_blocks, place),
}
_BACKENDS = str(Path(backends.__file__).parent)


def _stages(work: Callable[[], object], networks: tuple[str, ...]) -> dict[str, float]:
    """Seconds of ``work`` by stage, and ``all``. What a backend's ``_run`` takes is the time of one of ``networks``."""
    profiler = cProfile.Profile()
    profiler.runcall(work)
    stats = pstats.Stats(profiler)
    found = dict.fromkeys(networks, 0.0)
    for (file, _, name), (*_, callers) in stats.stats.items():
        if name == "_run" and file.startswith(_BACKENDS):
            for (_, _, caller), (*_, cumulative) in callers.items():
                found[_CALLERS.get(caller, "context model")] += cumulative
    for stage, functions in _STAGES.items():
        codes = [function.__code__ for function in functions]
        keys = [(code.co_filename, code.co_firstlineno, code.co_name) for code in codes]
        found[stage] = sum(stats.stats[key][3] for key in keys if key in stats.stats)
    found["rest"] = stats.total_tt - sum(found.values())
    found["all"] = stats.total_tt
    return found


def profile_stages(pixels: np.ndarray, quality: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by stage of ``encode`` and of ``decode``, over ``rounds`` in turn; after a round of warm-up."""
    data = encode(pixels, quality, threads=1)
    works = {"encode": lambda: encode(pixels, quality, threads=1), "decode": lambda: decode(data, threads=1)}
    found: dict[str, list[dict[str, float]]] = {what: [] for what in works}
    for turn in range(rounds + 1):
        for what, work in works.items():
            stages = _stages(work, NETWORKS[what])
            if turn:
                found[what].append(stages)
    return {
        what: {stage: statistics.median(turn[stage] for turn in turns) for stage in turns[0]}
        for what, turns in found.items()
    }
