"""How good checkpoints are, by their estimated rate: ``python -m pico_plugins.training.evaluate``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from ..encoder import encode
from ..evaluation.bd_rate import bd_rate
from ..evaluation.metrics import METRICS
from ..network import PicoModel
from ..quality import LEVEL_STEPS, quality_of_level
from .checkpoint import load_model


@torch.no_grad()
def estimated_curve(
    model: PicoModel, images: list[Path], metrics: tuple[str, ...] = ("psnr",), realism: float = 0.0, side: int = 512
) -> list[tuple[int, float, dict[str, float]]]:
    """(level, estimated bits per pixel, metrics) at levels 0 ... 7, averaged over the middle of each image."""
    model.eval()
    points = []
    for level in range(model.config.levels):
        rates, values = [], []
        for path in images:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
            crop = np.array(pixels[top : top + side, left : left + side])
            unit = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
            torch.manual_seed(0)
            coded = model(unit, torch.tensor([float(level)]), torch.tensor([realism]))
            shown = (coded.shown[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            rates.append(float(coded.y_bits + coded.z_bits) / side**2)
            values.append([METRICS[metric](crop, shown) for metric in metrics])
        points.append((level, float(np.mean(rates)), dict(zip(metrics, np.mean(values, axis=0).tolist(), strict=True))))
    return points


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
@click.option("--real", is_flag=True, help="Compare the estimate with real files; for the shipped model's checkpoint.")
def main(
    checkpoints: tuple[Path, ...], images: Path, count: int, metrics: tuple[str, ...], realism: float, real: bool
) -> None:
    """Print rate and quality of CHECKPOINTS by level, and BD-rates (0.2-1.0 bpp) against the first of them."""
    paths = sorted(images.glob("*.png"))
    paths = paths[:: max(1, len(paths) // count)][:count]
    if real:
        model = load_model(checkpoints[0])
        for level in range(model.config.levels):
            guess, size = estimate_and_real(model, paths, level)
            click.echo(
                f"level {level}: estimated {guess:.4f} bpp, real {size:.4f} bpp ({100 * (size / guess - 1):+.2f}%)"
            )
        return
    first = None
    for checkpoint in checkpoints:
        points = estimated_curve(load_model(checkpoint), paths, metrics, realism)
        curves = {metric: [(bpp, values[metric]) for _, bpp, values in points] for metric in metrics}
        first = first or curves
        click.echo(f"{checkpoint}")
        for level, bpp, values in points:
            click.echo(f"    level {level}: {bpp:.3f} bpp  " + "  ".join(f"{m} {v:.2f}" for m, v in values.items()))
        changes = [f"{metric} {bd_rate(first[metric], curves[metric], 0.2, 1.0):+.1f}%" for metric in metrics]
        click.echo("    against the first: " + "  ".join(changes))


if __name__ == "__main__":
    main()
