"""``pico bench``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from ..evaluation.images import image_files
from ..evaluation.metrics import METRICS
from ..evaluation.peers import PEERS, USUAL
from ..quality import TUNES
from .failures import needing
from .pictures import check_photo
from .progress import progress_bar
from .sources import IMAGES

if TYPE_CHECKING:
    from ..evaluation.peer import Peer

_PEERS = tuple(name for name in PEERS if name != "pico")
_USUAL_METRICS = tuple(name for name, metric in METRICS.items() if metric.usual)


class _ListOptions(click.Command):
    """Lets ``--against jpeg webp`` stand for ``--against jpeg --against webp``."""

    choices: ClassVar = {"--against": _PEERS, "--metrics": tuple(METRICS)}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        option, given = None, 0
        for arg in args:
            if arg in self.choices:
                option, given = arg, 0
            elif option and arg in self.choices[option]:
                if given:
                    spread.append(option)
                given += 1
            else:
                option = None
            spread.append(arg)
        return super().parse_args(ctx, spread)


@click.command("bench", cls=_ListOptions)
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--against", multiple=True, type=click.Choice(_PEERS), help=f"One or more. [default: {' '.join(USUAL)}]")
@click.option(
    "--metrics",
    multiple=True,
    type=click.Choice(tuple(METRICS)),
    help=f"One or more. [default: {' '.join(_USUAL_METRICS)}]",
)
@click.option("--low", default=0.15, show_default=True, help="BD-rates are taken from this many bits per pixel ...")
@click.option("--high", default=1.2, show_default=True, help="... to this many.")
@click.option("--speed", is_flag=True, help="Measure seconds instead, on each image.")
@click.option("--scaling", is_flag=True, help="Measure seconds and memory by size instead, 0.1 to 100 megapixels.")
@click.option("--quality", type=click.IntRange(1, 100), default=75, show_default=True, help="Of pico, in those two.")
@click.option(
    "--realism", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Of pico. Not for --scaling."
)
@click.option(
    "--tune", type=click.Choice(TUNES), default="pixels", show_default=True, help="Of pico. Not for --scaling."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="With --speed.")
@click.option(
    "-o", "--output", default=Path("bench"), show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
def command(
    images: tuple[Path, ...],
    against: tuple[str, ...],
    metrics: tuple[str, ...],
    low: float,
    high: float,
    speed: bool,
    scaling: bool,
    quality: int,
    realism: float,
    tune: str,
    rounds: int,
    output: Path,
) -> None:
    """Measure rate and distortion on IMAGES (files or folders).

    Writes results.csv, curves.png and BD-rates (also printed) to --output. Measurements are kept in cache.jsonl there
    and reused. Only qualities that span --low to --high bits per pixel are decoded. BD-rate is taken between the curves
    of mean bits per pixel and mean metric over all images.
    """
    files = image_files(images, IMAGES)
    metrics = metrics or _USUAL_METRICS
    if not files:
        raise click.UsageError("no images found")
    if not 0 < low < high:
        raise click.UsageError("--low must be above 0 and below --high")
    sides = [min(check_photo(file)) for file in files]
    for name in () if speed or scaling else metrics:
        if min(sides) < METRICS[name].smallest:
            needed = f"{name.upper()} needs sides of at least {METRICS[name].smallest} pixels"
            raise click.UsageError(f"{needed}: choose other --metrics")
    with needing("bench"):
        from .bench_speed import print_scaling, print_speed

        if scaling:
            output.mkdir(parents=True, exist_ok=True)
            print_scaling(files[0], quality, output / "scaling.png")
            return
        peers = [PEERS["pico"](realism, tune), *(PEERS[name]() for name in against or USUAL)]
        for peer in peers:
            click.echo(peer.describe())
        if speed:
            with progress_bar("measuring") as progress:
                for path in files:
                    print_speed(path, peers, quality, rounds, progress)
            return
        output.mkdir(parents=True, exist_ok=True)
        _rate_distortion(files, peers, metrics, low, high, output)


def _rate_distortion(
    images: list[Path],
    peers: list[Peer],
    metrics: tuple[str, ...],
    low: float,
    high: float,
    output: Path,
) -> None:
    from ..evaluation.bd_rate import bd_rate
    from ..evaluation.bench import Cache, covering, mean_curves, measure
    from ..evaluation.plot import plot_curves

    cache = Cache(output / "cache.jsonl")
    with progress_bar("encoding") as progress:
        sizes = mean_curves(measure(images, peers, [], cache, progress), "bpp")
    for peer in peers:
        rates = [rate for rate, _ in sizes[peer.name]]
        if max(rates) < low or min(rates) > high:
            msg = f"{peer.name} has no quality from {low:g} to {high:g} bits per pixel, but from {min(rates):.3g} to "
            raise click.ClickException(f"{msg}{max(rates):.3g}: choose other --low and --high")
    peers = [covering(peer, [rate for rate, _ in sizes[peer.name]], low, high) for peer in peers]
    with progress_bar("measuring") as progress:
        rows = measure(images, peers, list(metrics), cache, progress)
    with (output / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    curves = {metric: mean_curves(rows, metric) for metric in metrics}
    plot_curves(curves, {peer.name: peer.describe() for peer in peers}, low, high, output / "curves.png")

    for metric, by_codec in curves.items():
        click.echo(f"\n{metric}, mean of {len(images)} images (bits per pixel: value)")
        for codec, curve in by_codec.items():
            points = "  ".join(f"{rate:.3f}: {value:.2f}" for rate, value in sorted(curve))
            click.echo(f"  {codec:5} {points}")
        for peer in peers[1:]:
            change = bd_rate(by_codec[peer.name], by_codec["pico"], low, high)
            click.echo(f"  BD-rate of pico against {peer.name}, {low:g}-{high:g} bits per pixel: {change:+.1f}%")
