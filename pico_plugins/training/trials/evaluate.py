"""How good checkpoints are, by their estimated rate: ``python -m pico_plugins.training.trials.evaluate``."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from ...encoder import encode
from ...evaluation.bd_rate import Curve, bd_rate
from ...evaluation.images import image_files
from ...evaluation.metrics import METRICS
from ...evaluation.peer import Peer
from ...evaluation.peers import PEERS
from ...network import PicoModel
from ...network.weights_file import load_model
from ...quality import LEVEL_STEPS, TUNES, quality_of_level


def middle(path: Path, width: int, height: int) -> np.ndarray:
    """The middle ``width`` x ``height`` pixels of an image, uint8 (height, width, 3)."""
    with Image.open(path) as image:
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return np.array(image.convert("RGB").crop((left, top, left + width, top + height)))


@torch.no_grad()
def estimated_curve(
    model: PicoModel,
    images: list[Path],
    metrics: tuple[str, ...] = ("psnr",),
    realism: float = 0.0,
    side: int = 512,
    tune: str = "pixels",
) -> list[tuple[int, float, dict[str, float]]]:
    """(level, estimated bits per pixel, metrics) at levels 0 ... 7, averaged over the middle of each image."""
    model.eval()
    points = []
    for level in range(model.config.levels):
        rates, values = [], []
        for path in images:
            crop = middle(path, side, side)
            unit = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
            torch.manual_seed(0)
            coded = model(unit, torch.tensor([float(level)]), torch.tensor([realism]), tune)
            shown = (coded.shown[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            rates.append(float(coded.y_bits + coded.z_bits) / side**2)
            values.append([METRICS[metric](crop, shown) for metric in metrics])
        points.append((level, float(np.mean(rates)), dict(zip(metrics, np.mean(values, axis=0).tolist(), strict=True))))
    return points


def peer_curve(peer: Peer, images: list[Path], metrics: tuple[str, ...], side: int) -> dict[str, Curve]:
    """By metric (bits per pixel of real files, metric) of a codec on the same middles, up to 2 bits per pixel."""
    curves: dict[str, Curve] = {metric: [] for metric in metrics}
    crops = [middle(path, side, side) for path in images]
    for quality in peer.qualities:
        files = [peer.encode(crop, quality) for crop in crops]
        rate = float(np.mean([8 * len(file) / side**2 for file in files]))
        if rate > 2.0:
            continue
        shown = [peer.decode(file) for file in files]
        for metric in metrics:
            value = float(np.mean([METRICS[metric](*pair) for pair in zip(crops, shown, strict=True)]))
            curves[metric].append((rate, value))
    return curves


@torch.no_grad()
def estimate_and_real(model: PicoModel, images: list[Path], level: int) -> tuple[float, float]:
    """Mean bits per pixel over whole ``images`` at ``level``: as training estimates them, and of files by `encode`.

    ``model`` must be what the shipped weights were exported from. Sides of up to 1024 pixels, multiples of 64.
    """
    model.eval()
    estimated, real = [], []
    for path in images:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        unit = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        coded = model(unit, torch.tensor([float(level)]))
        count = pixels.shape[0] * pixels.shape[1]
        estimated.append(float(coded.y_bits + coded.z_bits) / count)
        real.append(8 * len(encode(pixels, quality_of_level(level * LEVEL_STEPS))) / count)
    return float(np.mean(estimated)), float(np.mean(real))


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=24, show_default=True, help="How many of the images, spread over the folder.")
@click.option("--metrics", "-m", multiple=True, type=click.Choice(list(METRICS)), default=("psnr", "ms-ssim"))
@click.option("--realism", type=click.FloatRange(0, 1), default=0.0, show_default=True)
@click.option(
    "--tune",
    multiple=True,
    type=click.Choice(TUNES),
    default=("pixels",),
    show_default=True,
    help="The encoders to use.",
)
@click.option("--side", default=512, show_default=True, help="Of the image's middle that is coded, in pixels.")
@click.option("--against", type=click.Choice(sorted(PEERS)), help="A codec's files of the same middles come first.")
@click.option("--low", default=0.2, show_default=True, help="Bits per pixel from which BD-rates are taken.")
@click.option("--high", default=1.0, show_default=True, help="Bits per pixel up to which they are.")
@click.option("--real", is_flag=True, help="Compare the estimate with real files; for the shipped model's checkpoint.")
def main(
    checkpoints: tuple[Path, ...],
    images: Path,
    count: int,
    metrics: tuple[str, ...],
    realism: float,
    tune: tuple[str, ...],
    side: int,
    against: str | None,
    low: float,
    high: float,
    real: bool,
) -> None:
    """Print rate and quality of CHECKPOINTS by level, and their BD-rates against the first, or a codec --against."""
    paths = image_files([images], {".png"})
    paths = paths[:: max(1, len(paths) // count)][:count]
    if real:
        model = load_model(checkpoints[0])
        for level in range(model.config.levels):
            guess, size = estimate_and_real(model, paths, level)
            click.echo(
                f"level {level}: estimated {guess:.4f} bpp, real {size:.4f} bpp ({100 * (size / guess - 1):+.2f}%)"
            )
        return
    first = peer_curve(PEERS[against](), paths, metrics, side) if against else None
    for checkpoint, tuned in product(checkpoints, tune):
        points = estimated_curve(load_model(checkpoint), paths, metrics, realism, side, tuned)
        curves = {metric: [(bpp, values[metric]) for _, bpp, values in points] for metric in metrics}
        first = first or curves
        click.echo(f"{checkpoint}, tuned for {tuned}")
        for level, bpp, values in points:
            click.echo(f"    level {level}: {bpp:.3f} bpp  " + "  ".join(f"{m} {v:.2f}" for m, v in values.items()))
        changes = [f"{metric} {bd_rate(first[metric], curves[metric], low, high):+.1f}%" for metric in metrics]
        click.echo(f"    against {against or 'the first'}: " + "  ".join(changes))


if __name__ == "__main__":
    main()
