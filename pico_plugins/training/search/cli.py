"""The search's steps as commands: sample, time, train, report. Each goes on where it stopped."""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from pathlib import Path

import click

from ...network import CPU
from . import cost, space
from .store import Store, config_name

TARGETS = {"onnxruntime-f32": 2.0, "openvino-bf16": 1.0}
"""Seconds that a decoder may take for 12 megapixels."""


@click.group()
@click.option("--store", "path", default=Path("search.sqlite"), type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def main(ctx: click.Context, path: Path) -> None:
    """Search for the architecture, in steps that add to one file."""
    ctx.obj = Store(path)


@main.command()
@click.option("--draws", default=1_000_000, show_default=True, help="Configurations drawn and costed.")
@click.option("--keep", default=300, show_default=True, help="How many of those that pass are kept for timing.")
@click.option(
    "--decoder",
    nargs=2,
    type=float,
    default=(3.0, 12.0),
    show_default=True,
    help="Allowed kMAC per pixel of the decoder.",
)
@click.option("--seed", default=0, show_default=True)
@click.pass_obj
def sample(store: Store, draws: int, keep: int, decoder: tuple[float, float], seed: int) -> None:
    """Draw configurations and keep some that pass the cost filter."""
    source = random.Random(seed)
    passed = []
    for _ in range(draws):
        config = space.draw(source)
        encoder_kmac, decoder_kmac = cost.encoder_kmac(config), cost.decoder_kmac(config)
        if decoder[0] <= decoder_kmac <= decoder[1] and encoder_kmac <= 1.5 * decoder[1]:
            passed.append((config, encoder_kmac, decoder_kmac))
    click.echo(f"space: {space.size():,} configurations; drawn: {draws:,}; within the cost filter: {len(passed):,}")
    # Uniform over cost rather than over the space, whose bulk is at the expensive end.
    passed.sort(key=lambda row: row[2])
    edges = [round(i * len(passed) / keep) for i in range(keep + 1)] if len(passed) > keep else range(len(passed) + 1)
    for start, stop in itertools.pairwise(edges):
        store.add_candidate(*source.choice(passed[start:stop]))


@main.command("time")
@click.option("--minutes", default=30.0, show_default=True, help="Stop after this time; go on later.")
@click.option("--group", default=8, show_default=True, help="Candidates that are timed in turn.")
@click.option("--rounds", default=7, show_default=True)
@click.option("--backend", "backends", multiple=True, default=sorted(TARGETS), show_default=True)
@click.pass_obj
def time_candidates(store: Store, minutes: float, group: int, rounds: int, backends: tuple[str, ...]) -> None:
    """Time encoders and decoders on one tile, a group and the CPU preset as anchor in turn."""
    from .timing import interleaved, prepare

    end = time.monotonic() + 60 * minutes
    waiting = store.untimed(list(backends))
    with tempfile.TemporaryDirectory() as scratch:
        anchor = prepare(CPU, list(backends), Path(scratch))
        while waiting and time.monotonic() < end:
            names, waiting = waiting[:group], waiting[group:]
            configs = store.configs(names)
            runs = {("anchor", *key): run for key, run in anchor.items()}
            for name in names:
                prepared = prepare(configs[name], list(backends), Path(scratch))
                runs |= {(name, *key): run for key, run in prepared.items()}
            result = interleaved(runs, rounds)
            for name in names:
                for backend in backends:
                    own = (result[name, backend, "encoder"], result[name, backend, "decoder"])
                    theirs = (result["anchor", backend, "encoder"], result["anchor", backend, "decoder"])
                    store.add_timing(name, backend, (*own, *theirs))
            click.echo(f"{len(waiting)} to go")


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="To evaluate on."
)
@click.option("--finalists", default=8, show_default=True)
@click.option("--steps", default=1000, show_default=True)
@click.option("--runs", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the runs.")
@click.pass_obj
def train(store: Store, data: tuple[Path, ...], images: Path, finalists: int, steps: int, runs: Path) -> None:
    """Train the finalists, all with the same crops and steps from the KLT start, and evaluate them."""
    from ...evaluation.images import image_files
    from ...network.weights_file import load_model
    from ..data import load_images
    from ..loss import Faithful
    from ..run import Options
    from ..run import train as run_training
    from ..trials.evaluate import estimated_curve
    from .finalists import choose, within_target

    timings = store.timings()
    kmac = {row["name"]: row["decoder_kmac"] for row in timings}
    chosen = choose(within_target(timings, TARGETS), kmac, finalists)
    configs = {name: store.configs([name])[name] for name in chosen} | {config_name(CPU): CPU}
    done = {name for name, trained in store.curves() if trained == steps}
    paths, crops = image_files([images], {".png"}), load_images(list(data), Options.crop)
    for name, config in configs.items():
        if name in done:
            continue
        # The learning rate follows the steps: the time limit is only there to be out of the way.
        options = Options(crops, runs / name, Faithful(structure=0.0), config, max_steps=steps, minutes=1e6)
        curve = estimated_curve(load_model(run_training(options)), paths)
        points = [(level, bpp, values["psnr"]) for level, bpp, values in curve]
        store.add_curve(name, steps, points)
        click.echo(f"{name}: " + "  ".join(f"{bpp:.3f}: {psnr:.2f}" for _, bpp, psnr in points))


@main.command()
@click.option(
    "--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="As for train."
)
@click.option("--out", default=Path("search"), type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def report(store: Store, images: Path, out: Path) -> None:
    """Draw the two plots and print the finalists by BD-rate against JPEG."""
    from PIL import Image

    from ...evaluation.bd_rate import bd_rate
    from ...evaluation.bench import Cache, mean_curves, measure
    from ...evaluation.images import image_files
    from ...evaluation.peers import PEERS
    from ..trials.evaluate import middle
    from .plots import macs_against_time, rate_against_time

    out.mkdir(parents=True, exist_ok=True)
    timings = store.timings()
    macs_against_time(timings, TARGETS, out / "macs-time.png")
    with tempfile.TemporaryDirectory() as scratch:  # the same middle of each image as the finalists were evaluated on
        for path in image_files([images], {".png"}):
            Image.fromarray(middle(path, 512, 512)).save(Path(scratch) / path.name)
        paths = image_files([Path(scratch)])
        rows = measure(paths, [PEERS["jpeg"]()], ["psnr"], Cache(out / "jpeg.jsonl"), lambda done, total: None)
    jpeg = mean_curves(rows, "psnr")["jpeg"]
    decoder = {(row["name"], row["backend"]): row["decoder_ms"] for row in timings}
    anchor = {b: statistics.median(r["anchor_decoder_ms"] for r in timings if r["backend"] == b) for b in TARGETS}
    points = []
    for (name, steps), curve in store.curves().items():
        change = bd_rate(jpeg, curve, 0.2, 1.0)
        times = {backend: decoder.get((name, backend), anchor[backend]) for backend in sorted(TARGETS)}
        shown = "  ".join(f"{backend} {ms:.1f} ms" for backend, ms in times.items())
        points.append((change, name, f"{change:+6.1f}%  {steps} steps  {shown}", times["onnxruntime-f32"]))
    configs = store.configs()
    for _, name, line, _ in sorted(points):
        click.echo(f"{name}  {line}")
        click.echo(f"    {configs[name].to_json() if name in configs else 'the anchor'}")
    rate_against_time([(name, ms, change) for change, name, _, ms in points], out / "rate-time.png")
