"""``python -m pico_plugins.training``: train, or resume, one run."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ..network import PRESETS
from .checkpoint import load_model
from .data import load_images
from .loss import Faithful
from .perceptual import WEIGHTS, Perceptual
from .run import Options, train
from .text_masks import TextMasks
from .tiling import pair_width


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the run.")
@click.option("--preset", type=click.Choice(sorted(PRESETS)), default="cpu", show_default=True)
@click.option("--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weights to start from.")
@click.option("--minutes", default=60.0, show_default=True, help="Length of the whole run, over all resumes.")
@click.option("--max-steps", type=int, help="Stop after this many steps at the latest.")
@click.option("--batch", default=8, show_default=True)
@click.option("--crop", default=256, show_default=True, help="Side of a crop in pixels, a multiple of 64.")
@click.option("--rate", default=5e-4, show_default=True, help="Peak learning rate.")
@click.option("--structure", default=0.0, show_default=True, help="Part of the distortion that is MS-SSIM, not MSE.")
@click.option(
    "--perceptual",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Phase 2, from --start. The folder holds the text masks of DATA (training.text_masks).",
)
@click.option("--without", multiple=True, type=click.Choice(sorted(WEIGHTS)), help="Terms of phase 2 to leave out.")
@click.option("--adversary-from", default=3000, show_default=True, help="Steps of phase 2 before it has an adversary.")
@click.option("--detail-only", is_flag=True, help="In phase 2: files and their faithful decoding stay as they are.")
@click.option("--decay-from", default=0.5, show_default=True, help="Part of the run after which the rate decays.")
@click.option("--threads", default=2, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Where PyTorch computes: cpu, cuda ...")
@click.option("--seed", default=0, show_default=True)
def main(
    data: tuple[Path, ...],
    preset: str,
    structure: float,
    perceptual: Path | None,
    without: tuple[str, ...],
    adversary_from: int,
    detail_only: bool,
    device: str,
    **options: object,
) -> None:
    """Train on all images below the folders DATA. A run found in --out is resumed."""
    torch.set_default_device(device)
    torch.backends.cudnn.allow_tf32 = False  # the integer scale decoder's sums must be exact
    crop = options["crop"]
    if perceptual is None:
        images, recipe = load_images(list(data), crop), Faithful(structure)
    else:
        if options["start"] is None:
            raise click.UsageError("--perceptual goes on from the weights of --start")
        images = load_images(list(data), (crop, pair_width(crop)), TextMasks(perceptual))
        recipe = Perceptual(load_model(options["start"]).config, structure, without, adversary_from, detail_only)
    click.echo(train(Options(images=images, recipe=recipe, config=PRESETS[preset], **options)))


main()
