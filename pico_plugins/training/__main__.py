"""``python -m pico_plugins.training``: train, or resume, one run."""

from __future__ import annotations

from pathlib import Path

import click

from ..network import PRESETS
from .run import Options, train


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
@click.option("--decay-from", default=0.5, show_default=True, help="Part of the run after which the rate decays.")
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(data: tuple[Path, ...], preset: str, **options: object) -> None:
    """Train on all images below the folders DATA. A run found in --out is resumed."""
    click.echo(train(Options(data=list(data), config=PRESETS[preset], **options)))


main()
