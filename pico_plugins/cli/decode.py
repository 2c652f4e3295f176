"""``pico decode``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from .batch import run_batch


@click.command("decode")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File, or folder for several images.")
@click.option("--to", "suffix", default="png", show_default=True, help="Format to write, when --output does not say.")
@click.option("--realism", type=click.FloatRange(0, 1), help="0 faithful ... 1 perceptual. [default: as the file says]")
@click.option("--threads", type=click.IntRange(1), help="Tiles decoded at once. [default: one for each CPU]")
@click.option("-f", "--force", is_flag=True, help="Replace existing files.")
def command(
    files: tuple[Path, ...], output: Path | None, suffix: str, realism: float | None, threads: int | None, force: bool
) -> None:
    """Write .pico FILES in a format that other programs read, metadata included."""
    from PIL import Image

    from pico_plugins.decoder import decode, read_header
    from pico_plugins.files import writing

    def work(source: Path, target: Path, progress: Callable[[int, int], None]) -> str:
        metadata = read_header(source).metadata
        image = Image.fromarray(decode(source, realism=realism, threads=threads, progress=progress))
        kept = {name: getattr(metadata, name) for name in ("exif", "icc_profile", "xmp") if getattr(metadata, name)}
        form = Image.registered_extensions().get(target.suffix.lower())
        if form is None or form == "PICO":
            msg = f"cannot write {target.suffix or 'a file without suffix'}"
            raise ValueError(msg)
        with writing(target) as file:
            image.save(file, form, **kept)
        return f"{target}: {image.width} x {image.height}, {image.mode}"

    run_batch(files, output, f".{suffix.lstrip('.')}", force, work)
