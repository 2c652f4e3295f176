"""The plots of the evaluation."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ..fidelity import BOUND
from .bd_rate import Curve
from .metrics import METRICS
from .scaling import Footprint


def plot_curves(
    curves: dict[str, dict[str, Curve]], labels: dict[str, str], low: float, high: float, path: Path
) -> None:
    """One panel for each metric, one line for each codec; ``curves[metric][codec]``."""
    figure, panels = plt.subplots(1, len(curves), figsize=(7 * len(curves), 5.5), squeeze=False)
    for panel, (metric, by_codec) in zip(panels[0], curves.items(), strict=True):
        for codec, curve in by_codec.items():
            rate, value = zip(*sorted(curve), strict=True)
            width = 2.2 if codec == "pico" else 1.2
            panel.plot(rate, value, marker="o", markersize=3, linewidth=width, label=labels[codec])
        panel.axvspan(low, high, color="0.95", zorder=0)
        panel.set(xscale="log", xlabel="bits per pixel", ylabel=METRICS[metric].unit, xlim=(low / 2, high * 2))
        inside = [v for curve in by_codec.values() for r, v in curve if low / 2 <= r <= high * 2]
        panel.set_ylim(min(inside) - 0.5, max(inside) + 0.5)
        ticks = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0]
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_scaling(footprints: list[Footprint], path: Path) -> None:
    """Seconds and peak memory against image size, on logarithmic axes: a line of slope one is linear."""
    figure, (times, memory) = plt.subplots(1, 2, figsize=(12, 4.5))
    sizes = [found.megapixels for found in footprints]
    for what in ("encode", "decode"):
        seconds = [getattr(found, what) for found in footprints]
        times.plot(sizes, seconds, marker="o", label=what)
        memory.plot(sizes, [getattr(found, f"{what}_mb") for found in footprints], marker="o", label=what)
    times.plot(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], linestyle=":", color="0.5", label="linear")
    memory.plot(sizes, [3 * size for size in sizes], linestyle=":", color="0.5", label="the image itself")
    times.set(xlabel="megapixels", ylabel="seconds", xscale="log", yscale="log")
    memory.set(xlabel="megapixels", ylabel="peak memory of the process (MB)", xscale="log", yscale="log")
    for panel in (times, memory):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def plot_reliability(found: list[tuple[float, float, int]], path: Path) -> None:
    """Chance that the map states against how often it came true."""
    figure, axes = plt.subplots(figsize=(5, 5))
    stated, true, counts = map(np.array, zip(*found, strict=True))
    axes.plot([0, 1], [0, 1], linestyle=":", color="0.5")
    axes.plot(stated, true, marker="o")
    for x, y, count in zip(stated, true, counts, strict=True):
        axes.annotate(f"{count}", (x, y), textcoords="offset points", xytext=(6, -10), fontsize=7)
    axes.set(xlabel="value of the map", ylabel=f"blocks off by more than {BOUND:g} levels", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
