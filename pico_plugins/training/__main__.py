"""``python -m pico_plugins.training``: train, or resume, one run."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ..network import BRANCHES, PRESETS
from ..network.weights_file import load_model
from .data import Photos
from .feature_terms import PART
from .loss import Faithful
from .objective import OBJECTIVES, with_weights
from .perceptual import DETAIL_PACE, PARTS, Perceptual
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
@click.option(
    "--objective", type=click.Choice(sorted(OBJECTIVES)), default="eye", show_default=True, help="Of phase 2."
)
@click.option("--weight", multiple=True, help="TERM=WEIGHT[:FALL] of phase 2 in place of the objective's; 0: without.")
@click.option(
    "--learn",
    multiple=True,
    type=click.Choice(PARTS),
    default=("eye-encoder", "detail"),
    show_default=True,
    help="What does in phase 2; all else stays as it is.",
)
@click.option("--branch", type=click.Choice(sorted(BRANCHES)), help="Size of a new detail branch; default: small.")
@click.option("--detail-pace", default=DETAIL_PACE, show_default=True, help="Rate of the detail branch, in --rate.")
@click.option("--part", default=PART, show_default=True, help="Part of a window's side that VGG16 sees in phase 2.")
@click.option("--adversary-from", default=3000, show_default=True, help="Steps of phase 2 before it has an adversary.")
@click.option("--decay-from", default=0.5, show_default=True, help="Part of the run after which the rate decays.")
@click.option("--stop-after", type=int, help="Stop after this many steps in all, as if stopped by hand.")
@click.option("--save-every", default=120.0, show_default=True, help="Seconds between two saves of the state.")
@click.option("--threads", default=2, show_default=True)
@click.option("--graph", is_flag=True, help="The step as one CUDA graph.")
@click.option("--watch", is_flag=True, help="Photos that arrive in DATA during the run are used too.")
@click.option("--device", default="cpu", show_default=True, help="Where PyTorch computes: cpu, cuda ...")
@click.option("--seed", default=0, show_default=True)
def main(
    data: tuple[Path, ...],
    preset: str,
    structure: float,
    perceptual: Path | None,
    objective: str,
    weight: tuple[str, ...],
    learn: tuple[str, ...],
    branch: str | None,
    detail_pace: float,
    part: float,
    adversary_from: int,
    device: str,
    watch: bool,
    **options: object,
) -> None:
    """Train on all images below the folders DATA. A run found in --out is resumed."""
    torch.set_default_device(device)
    torch.manual_seed(options["seed"])  # the adversary's first weights
    if device != "cpu":
        torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False  # the integer scale decoder's sums must be exact
    crop = options["crop"]
    if perceptual is None:
        photos, recipe = Photos(list(data), crop), Faithful(structure)
    else:
        if options["start"] is None:
            raise click.UsageError("--perceptual goes on from the weights of --start")
        try:
            weights = with_weights(OBJECTIVES[objective], weight)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        photos = Photos(list(data), (crop, pair_width(crop)), TextMasks(perceptual))
        config = load_model(options["start"]).config
        stages = BRANCHES[branch or "small"]
        if branch and config.detail not in (None, stages):
            raise click.UsageError(
                f"--start has another branch: training.transplant --branch {branch} makes it {branch}"
            )
        recipe = Perceptual(config, weights, structure, learn, adversary_from, detail_pace, part, stages)
    if watch:
        photos.watch()
    click.echo(train(Options(images=photos.images, recipe=recipe, config=PRESETS[preset], **options)))


main()
