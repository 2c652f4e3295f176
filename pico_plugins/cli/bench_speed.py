"""What ``pico bench`` prints about time and memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

    from ..evaluation.peer import Peer
    from ..pipeline import Progress

_MEGAPIXELS = (0.1, 0.4, 1.5, 6, 12, 24, 50, 100)


def print_speed(path: Path, peers: list[Peer], quality: int, rounds: int, progress: Progress) -> None:
    """Seconds beside ``peers[1:]``, at reduced scales, and by stage, of the image at ``path``."""
    from ..evaluation.images import read_pixels
    from ..evaluation.speed import measure_scales, measure_speed

    pixels = read_pixels(path)
    count = pixels.shape[0] * pixels.shape[1]
    timings = measure_speed(pixels, peers[0], peers[1:], quality, rounds, progress)
    click.echo(
        f"\n{path.name}: {count / 1e6:.1f} megapixels, medians of {rounds} rounds in turn, "
        "in brackets pico's time over each"
    )
    click.echo(f"{'':10} {'quality':>7} {'bits/px':>8} {'encode s':>9} {'':>8} {'decode s':>9}")
    for timing in timings:
        line = f"{timing.peer.name:10} {timing.quality:7} {8 * timing.size / count:8.3f}"
        for what in ("encode", "decode"):
            line += f" {timing.median(what):9.3f} ({timings[0].ratio(timing, what):5.2f}x)"
        click.echo(line)
    scales = measure_scales(peers[0].encode(pixels, quality), rounds)
    click.echo("decoded by pico at scale (in brackets seconds and processor time over those of 1/1)")
    for by, (seconds, wall, busy) in scales.items():
        click.echo(f"1/{by} {seconds:8.3f} s ({wall:.2f}x, {busy:.2f}x)")
    _print_stages(pixels, quality, rounds)


def _print_stages(pixels: np.ndarray, quality: int, rounds: int) -> None:
    from ..evaluation.profile import NETWORKS, profile_stages

    click.echo(f"where the time goes, on one thread, medians of {rounds} rounds:")
    for what, stages in profile_stages(pixels, quality, rounds).items():
        whole = stages.pop("all")
        share = {name: 100 * seconds / whole for name, seconds in stages.items()}
        # Stages that took no time are left out: OpenVINO runs the context model inside the decoder.
        parts = ", ".join(f"{name} {percent:.1f}%" for name, percent in share.items() if percent)
        others = 100 - sum(share[network] for network in NETWORKS[what])
        click.echo(
            f"  {what} {whole:.3f} s: {parts}; outside the networks {others - share['scale decoder']:.1f}%, "
            f"with the integer scale decoder {others:.1f}%"
        )


def print_scaling(path: Path, quality: int, plot: Path) -> None:
    """Seconds and peak memory by image size, of mosaics of the photo at ``path``; the curves go to ``plot``."""
    from ..evaluation.plot import plot_scaling
    from ..evaluation.scaling import measure_footprint

    click.echo(f"{'megapixels':>10} {'encode s':>9} {'decode s':>9}  peak MB: {'idle':>6} {'encode':>7} {'decode':>7}")
    footprints = []
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in _MEGAPIXELS:
            found = measure_footprint(path, megapixels, quality, Path(folder))
            footprints.append(found)
            click.echo(
                f"{megapixels:10g} {found.encode:9.3f} {found.decode:9.3f}           "
                f"{found.idle_mb:6.0f} {found.encode_mb:7.0f} {found.decode_mb:7.0f}"
            )
    plot_scaling(footprints, plot)
    click.echo(f"drawn in {plot}")
