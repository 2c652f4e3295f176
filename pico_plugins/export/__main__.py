"""``python -m pico_plugins.export``: make trained weights the ones that this package ships and writes with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from safetensors import safe_open

from ..network.weights_file import load_model
from ..weights import FOLDER
from .bundle import add_eye_encoder, write_bundle


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", default=FOLDER, type=click.Path(file_okay=False, path_type=Path), help="Folder of models.")
@click.option("--keep", is_flag=True, help="Keep the models that are there already.")
@click.option(
    "--eye-encoder", is_flag=True, help="Add no more than the encoder tuned for the eye, to the default model."
)
def main(checkpoint: Path, into: Path, keep: bool, eye_encoder: bool) -> None:
    """Export the averaged weights in CHECKPOINT (ema.safetensors) and make them the default model."""
    if eye_encoder:
        folder = into / (into / "default").read_text().strip()
        add_eye_encoder(load_model(checkpoint), folder)
        click.echo(folder.name)
        return
    with safe_open(checkpoint, "np") as file:
        facts = {key: value for key, value in sorted(file.metadata().items()) if key != "config"}
    name = write_bundle(load_model(checkpoint), into, facts)
    (into / "default").write_text(name + "\n")
    if not keep:
        for manifest in into.glob("*/manifest.json"):
            if manifest.parent.name != name:
                shutil.rmtree(manifest.parent)
    click.echo(name)


main()
