"""``pico bench``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import click

_CODECS = ("jpeg", "webp", "avif", "jxl")
_METRICS = ("psnr", "ms-ssim")
_IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".ppm"}


def _images(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGES) if path.is_dir() else [path]
    return found


@click.command("bench")
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--against", multiple=True, type=click.Choice(_CODECS), help="Codec to compare with; may be repeated. [default: all]")
@click.option("--metrics", multiple=True, type=click.Choice(_METRICS), help="May be repeated. [default: all]")
@click.option("--low", default=0.2, show_default=True, help="BD-rates are taken from this many bits per pixel ...")
@click.option("--high", default=1.0, show_default=True, help="... to this many.")
@click.option("-o", "--output", default=Path("bench"), show_default=True, type=click.Path(file_okay=False, path_type=Path))
def command(
    images: tuple[Path, ...],
    against: tuple[str, ...],
    metrics: tuple[str, ...],
    low: float,
    high: float,
    output: Path,
) -> None:
    """Measure rate and distortion on IMAGES (files or folders).

    Writes results.csv, curves.png and BD-rates (also printed) to --output. Measurements are kept in cache.jsonl there and
    reused. BD-rate is taken between the curves of mean bits per pixel and mean metric over all images.
    """
    from ..evaluation.bd_rate import bd_rate
    from ..evaluation.bench import Cache, mean_curves, measure
    from ..evaluation.peers import PEERS
    from ..evaluation.plot import plot_curves

    metrics = metrics or _METRICS
    peers = [PEERS[name]() for name in ("pico", *(against or _CODECS))]
    output.mkdir(parents=True, exist_ok=True)
    with click.progressbar(length=1, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        rows = measure(_images(images), peers, list(metrics), Cache(output / "cache.jsonl"), progress)

    with (output / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    curves = {metric: mean_curves(rows, metric) for metric in metrics}
    plot_curves(curves, {peer.name: peer.describe() for peer in peers}, low, high, output / "curves.png")

    for peer in peers:
        click.echo(peer.describe())
    for metric, by_codec in curves.items():
        click.echo(f"\n{metric}, mean of {len(_images(images))} images (bits per pixel: value)")
        for codec, curve in by_codec.items():
            points = "  ".join(f"{rate:.3f}: {value:.2f}" for rate, value in sorted(curve) if low / 2 <= rate <= high * 2)
            click.echo(f"  {codec:5} {points}")
        for peer in peers[1:]:
            change = bd_rate(by_codec[peer.name], by_codec["pico"], low, high)
            click.echo(f"  BD-rate of pico against {peer.name}, {low:g}-{high:g} bits per pixel: {change:+.1f}%")
