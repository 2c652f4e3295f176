"""``pico export``."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import click

from .failures import needing


def _module(name: str, extra: str) -> ModuleType:
    """A module of the export, or an error that says what to install."""
    with needing(extra):
        return importlib.import_module(f"...export.{name}", __name__)


@click.command("export")
@click.option("--target", type=click.Choice(["coreml", "onnx"]), help="What to write.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write it to.")
@click.option("--weights", type=click.Choice(["float16", "int8", "palettized"]), default="float16", show_default=True)
@click.option(
    "--pixels",
    type=click.Choice(["image", "tensor"]),
    default="image",
    show_default=True,
    help="Core ML: how pixels go in and out.",
)
@click.option("--model", help="Id of a shipped model; default: the one that new files are written with.")
@click.option("--report", is_flag=True, help="Print sizes, costs and times beside the paper's.")
@click.option("--preset", metavar="NAME", help="Report on a configuration of the training, not on a shipped model.")
@click.option("--branch", metavar="NAME", help="The detail branch of --preset; default: none.")
def command(
    target: str | None,
    output: Path | None,
    weights: str,
    pixels: str,
    model: str | None,
    report: bool,
    preset: str | None,
    branch: str | None,
) -> None:
    """Write a shipped model's networks for other runtimes: phones (Core ML), or anything that reads ONNX."""
    from ..errors import UnsupportedError
    from ..weights import DEFAULT, model_folder

    if not (target or report):
        raise click.UsageError("give --target, --report or both")
    if target and output is None:
        raise click.UsageError("give a folder with --output")
    if target == "onnx" and (weights, pixels) != ("float16", "image"):
        raise click.UsageError("--weights and --pixels are for --target coreml")
    if preset and (target or model):
        raise click.UsageError("--preset has no weights to write: it goes with --report alone")
    if branch and not preset:
        raise click.UsageError("--branch is for --preset")
    if preset:
        try:
            click.echo(_module("report", "torch").preset_report(preset, branch))
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        return
    try:
        folder = model_folder(model or DEFAULT)
    except UnsupportedError as error:
        raise click.ClickException(str(error)) from error
    if target:
        output.mkdir(parents=True, exist_ok=True)
        if target == "coreml":
            written = _module("coreml", "coreml").write_packages(
                folder, output, weights=weights, image=pixels == "image"
            )
        else:
            written = _module("onnx_folder", "torch").write_folder(folder, output)
        for path in written:
            size = sum(part.stat().st_size for part in (path.rglob("*") if path.is_dir() else [path]) if part.is_file())
            click.echo(f"{path}  {size / 1e6:.2f} MB")
    if report:
        click.echo(_module("report", "torch").report(folder))
