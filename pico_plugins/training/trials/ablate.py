"""What each residual block is good for: ``python -m pico_plugins.training.trials.ablate CHECKPOINT --images KODAK``."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ...network import PicoModel
from ...network.blocks import ConvScale311
from ...network.weights_file import load_model
from ..data import Crops, load_images
from ..loss import faithful_distortion, rate_distortion
from ..tensors import to_tensor

_LEVELS = (2.0, 4.0)


@torch.no_grad()
def mean_loss(model: PicoModel, crops: list[torch.Tensor], structure: float) -> float:
    """Mean loss over ``crops``, batches (B, 3, H, W) in [0, 1], at two usual levels."""
    losses = []
    for level in _LEVELS:
        for pixels in crops:
            levels = torch.full((len(pixels),), level)
            coded = model(pixels, levels)
            distortion, _ = faithful_distortion(coded.pixels, pixels, structure)
            losses.append(rate_distortion(coded, pixels, levels, model.config.levels, distortion)[0].item())
    return sum(losses) / len(losses)


def without_each_block(model: PicoModel, crops: list[torch.Tensor], structure: float) -> dict[str, float]:
    """Relative change of the mean loss when a residual block is left out, by the block's name."""
    whole, found = mean_loss(model, crops, structure), {}
    for name, block in model.named_modules():
        if isinstance(block, ConvScale311):
            scale = block.project.scale_out
            kept = scale.detach().clone()
            scale.data.zero_()
            found[name] = mean_loss(model, crops, structure) / whole - 1
            scale.data.copy_(kept)
    return found


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--structure", default=0.5, show_default=True, help="As in training.")
def main(checkpoint: Path, images: Path, structure: float) -> None:
    """Print how the loss on 48 crops of IMAGES changes when each residual block of CHECKPOINT is left out."""
    crops = Crops(load_images([images], 256), 256, 0)
    batches = [to_tensor(crops.batch(8, number)) for number in range(6)]
    for name, change in without_each_block(load_model(checkpoint).eval(), batches, structure).items():
        click.echo(f"{name:32} {100 * change:+.2f}%")


if __name__ == "__main__":
    main()
