"""Seconds of encoding and decoding beside other codecs, measured in turn so that a busy moment hits all alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

import numpy as np

from ..decoder import decode
from ..pipeline import Progress
from .peer import Peer
from .size_search import nearest_quality


@dataclass
class Timing:
    """Seconds of each round for one codec, at ``quality`` with files of ``size`` bytes."""

    peer: Peer
    quality: int
    size: int
    encode: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)

    def median(self, what: str) -> float:
        """Median seconds of ``encode`` or ``decode``."""
        return statistics.median(getattr(self, what))

    def ratio(self, other: Timing, what: str) -> float:
        """Median over the rounds of this codec's seconds divided by ``other``'s in the same round."""
        pairs = zip(getattr(self, what), getattr(other, what), strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def measure_speed(
    pixels: np.ndarray, pico: Peer, peers: list[Peer], quality: int, rounds: int, progress: Progress
) -> list[Timing]:
    """Time ``pico`` at ``quality`` and each peer at the nearest file size; the first round warms up and is dropped."""
    size = len(pico.encode(pixels, quality))
    timings = [Timing(pico, quality, size)]
    for peer in peers:
        nearest = nearest_quality(lambda quality, peer=peer: len(peer.encode(pixels, quality)), size)
        timings.append(Timing(peer, nearest, len(peer.encode(pixels, nearest))))
    for turn in range(rounds + 1):
        for timing in timings:
            start = time.perf_counter()
            data = timing.peer.encode(pixels, timing.quality)
            middle = time.perf_counter()
            timing.peer.decode(data)
            end = time.perf_counter()
            if turn:
                timing.encode.append(middle - start)
                timing.decode.append(end - middle)
        progress(turn, rounds)
    return timings


def measure_scales(data: bytes, rounds: int) -> dict[int, tuple[float, float, float]]:
    """Decoding a .pico file whole (1) and 2, 4 and 8 times smaller: seconds, and two ratios to decoding it whole.

    The ratios are of the seconds and of the processor's time, on which other work on the machine has less influence.
    Medians over the rounds, the ratios taken within each; one round warms up.
    """
    found: dict[int, list[tuple[float, float]]] = {reduction: [] for reduction in (1, 2, 4, 8)}
    for turn in range(rounds + 1):
        for reduction, times in found.items():
            start, busy = time.perf_counter(), time.process_time()
            decode(data, scale=1 / reduction)
            if turn:
                times.append((time.perf_counter() - start, time.process_time() - busy))
    measured = {}
    for reduction, times in found.items():
        wall, busy = (statistics.median(a[i] / b[i] for a, b in zip(times, found[1], strict=True)) for i in (0, 1))
        measured[reduction] = statistics.median(seconds for seconds, _ in times), wall, busy
    return measured
