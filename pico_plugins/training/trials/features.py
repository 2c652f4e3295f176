"""What the architecture's features are worth.

    python -m pico_plugins.training.trials.features DATA... --images KODAK --runs RUNS

Each is switched off in a short run of its own, from the same KLT start, on the same crops, for as many steps, and
compared by estimated rate: the paper's ablations, at the scale of one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ...evaluation.bd_rate import bd_rate
from ...evaluation.images import image_files
from ...network import CPU, PicoModel
from ...network.conv_scale import ConvScale
from ...network.haar import BlockHead, BlockStem, HaarDown, HaarUp
from ...network.weights_file import load_model
from ..data import load_images
from ..loss import Faithful
from ..run import Options, train
from .evaluate import estimated_curve


def without_context(model: PicoModel) -> None:
    """mu and q of every phase from the prior alone: no step sees the phases before it."""

    def blind(forward: Callable, prior: Tensor, seen: list[Tensor], *level: Tensor) -> tuple[Tensor, Tensor]:
        return forward(prior, [torch.zeros_like(phase) for phase in seen], *level)

    for step in model.context.steps:
        step.forward = partial(blind, step.forward)


def without_quantization_width(model: PicoModel) -> None:
    """q is one learned number for each channel and level, not one for each latent."""

    def even(
        forward: Callable, prior: Tensor, seen: list[Tensor], weights: Tensor, log_width: Tensor
    ) -> tuple[Tensor, Tensor]:
        mu, _ = forward(prior, seen, weights, log_width)
        return mu, torch.exp(log_width.clamp(-6.0, 8.0)).expand_as(mu)

    for step in model.context.steps:
        step.forward = partial(even, step.forward)


def without_conv_scale(model: PicoModel) -> None:
    """Convolutions learn their weights only: the scales stay where they start."""
    for module in model.modules():
        if isinstance(module, ConvScale):
            module.scale_in.requires_grad_(False)
            module.scale_out.requires_grad_(False)


@torch.no_grad()
def without_haar(model: PicoModel) -> None:
    """Changes of resolution are learned pixel by pixel: the same function at the start, without the Haar transform."""
    for module in model.modules():
        if not isinstance(module, (HaarDown, HaarUp, BlockStem, BlockHead)):
            continue
        weight, haar = module.conv.weight, module.haar
        side = len(haar)
        if isinstance(module, (HaarDown, BlockStem)):  # bands are inputs: (K, C * bands, k, k)
            bands = weight.view(weight.shape[0], -1, side, *weight.shape[2:])
            weight.copy_(torch.einsum("kcbyx,bp->kcpyx", bands, haar).reshape_as(weight))
        else:  # bands are outputs: (K * bands, C, k, k)
            bands = weight.view(-1, side, *weight.shape[1:])
            weight.copy_(torch.einsum("kbcyx,bp->kpcyx", bands, haar).reshape_as(weight))
        module.haar = torch.eye(side)


VARIANTS: dict[str, Callable[[nn.Module], None]] = {
    "everything": lambda model: None,
    "no context": without_context,
    "no learned quantization width": without_quantization_width,
    "no ConvScale": without_conv_scale,
    "no Haar": without_haar,
}
PAPER = {"no context": 10.3, "no learned quantization width": 8.2, "no ConvScale": 1.2, "no Haar": 19.5}
"""BD-rate in percent that the paper gives for what comes nearest: "no ConvScale" with the scales at the end of each
resolution alone, "no Haar" with pixel shuffle."""


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=12, show_default=True, help="How many of the images, spread over the folder.")
@click.option("--steps", default=1000, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--runs", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the runs.")
def main(data: tuple[Path, ...], images: Path, count: int, steps: int, threads: int, runs: Path) -> None:
    """Train without each feature on DATA; print PSNR BD-rates (0.2-1.0 bpp) against everything together."""
    paths = image_files([images], {".png"})
    paths = paths[:: max(1, len(paths) // count)][:count]
    crops, whole = load_images(list(data), Options.crop), None
    for name, change in VARIANTS.items():
        run = runs / name.replace(" ", "-")
        options = Options(crops, run, Faithful(0.0), CPU, max_steps=steps, minutes=1e6, threads=threads, alter=change)
        weights = train(options)
        model = PicoModel(CPU)
        change(model)
        model.load_state_dict(load_model(weights).state_dict())
        curve = [(bpp, values["psnr"]) for _, bpp, values in estimated_curve(model, paths)]
        whole = whole or curve
        paper = PAPER.get(name)
        click.echo(
            f"{name:30} {bd_rate(whole, curve, 0.2, 1.0):+6.1f}%" + (f"  (paper {paper:+.1f}%)" if paper else "")
        )


if __name__ == "__main__":
    main()
