"""Time and memory by image size: every size in a process of its own, so that memory is that of this size alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .images import read_pixels


@dataclass(frozen=True)
class Footprint:
    """``megapixels`` coded: seconds, and the process's peak memory in MB before it, after encoding and after decoding.

    Peaks include the interpreter, the libraries and the image itself.
    """

    megapixels: float
    encode: float
    decode: float
    idle_mb: float
    encode_mb: float
    decode_mb: float


def mosaic(photo: np.ndarray, megapixels: float) -> np.ndarray:
    """``photo`` (H, W, 3), mirrored as often as it takes, cut to a 3:2 image of about that many megapixels."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(1.5 * height)
    rows = np.concatenate([photo, photo[::-1]])
    both = np.concatenate([rows, rows[:, ::-1]], axis=1)
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, both.shape[0]):
        for left in range(0, width, both.shape[1]):
            part = out[top : top + both.shape[0], left : left + both.shape[1]]
            part[:] = both[: part.shape[0], : part.shape[1]]
    return out


def _peak_mb() -> float:
    """This process's largest resident size so far. (Not ``ru_maxrss``: that may be the parent's.)"""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def _measure_here(path: Path, megapixels: float, quality: int, what: str) -> dict[str, float]:
    from ..decoder import decode
    from ..encoder import encode_file

    target = Path("coded.pico")
    if what == "encode":
        pixels = mosaic(read_pixels(path), megapixels)
        encode_file("warm.pico", pixels[:64, :64], quality)
        idle, start = _peak_mb(), time.perf_counter()
        encode_file(target, pixels, quality)
    else:
        decode("warm.pico")
        idle, start = _peak_mb(), time.perf_counter()
        decode(target)
    return {"seconds": time.perf_counter() - start, "idle_mb": idle, "peak_mb": _peak_mb()}


def measure_footprint(photo: Path, megapixels: float, quality: int, folder: Path) -> Footprint:
    """Encode and decode an image of that size made from ``photo``, in two new processes working in ``folder``."""
    found = {}
    for what in ("encode", "decode"):
        command = [sys.executable, "-m", __name__, str(photo.resolve()), str(megapixels), str(quality), what]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        found[what] = json.loads(done.stdout)
    encode, decode = found["encode"], found["decode"]
    return Footprint(
        megapixels,
        encode["seconds"],
        decode["seconds"],
        decode["idle_mb"],
        encode["peak_mb"],
        decode["peak_mb"],
    )


if __name__ == "__main__":
    _, _photo, _megapixels, _quality, _what = sys.argv
    print(json.dumps(_measure_here(Path(_photo), float(_megapixels), int(_quality), _what)))
