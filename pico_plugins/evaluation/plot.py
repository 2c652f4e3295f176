"""The rate-distortion plot."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from .bd_rate import Curve
from .metrics import UNITS


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
        panel.set(xscale="log", xlabel="bits per pixel", ylabel=UNITS[metric], xlim=(low / 2, high * 2))
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
