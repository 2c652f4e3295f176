"""The two plots of the search: MACs against time, and BD-rate against time."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def macs_against_time(timings: list[dict], targets: dict[str, float], path: Path, tiles: int = 48) -> None:
    """One panel a backend; every dot a candidate's decoder."""
    backends = sorted({row["backend"] for row in timings})
    figure, panels = plt.subplots(1, len(backends), figsize=(6 * len(backends), 4.5), squeeze=False)
    for panel, backend in zip(panels[0], backends, strict=True):
        rows = [row for row in timings if row["backend"] == backend]
        seconds = [row["decoder_ms"] * tiles / 1000 for row in rows]
        panel.scatter([row["decoder_kmac"] for row in rows], seconds, s=9, alpha=0.6)
        if backend in targets:
            panel.axhline(targets[backend], color="tab:red", linewidth=1, label="target")
            panel.legend()
        panel.set(title=backend, xlabel="decoder, kMAC per pixel", ylabel="seconds for 12 megapixels, decoder only")
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def rate_against_time(points: list[tuple[str, float, float]], path: Path) -> None:
    """``points``: (name, decoder milliseconds a tile, BD-rate in percent)."""
    figure, panel = plt.subplots(figsize=(7, 5))
    for name, milliseconds, change in points:
        panel.scatter(milliseconds, change, color="tab:blue")
        panel.annotate(name, (milliseconds, change), fontsize=7, xytext=(3, 3), textcoords="offset points")
    panel.set(xlabel="decoder, ms per 512 x 512 tile", ylabel="PSNR BD-rate against JPEG (%)")
    panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
