"""``pico encode``."""

from __future__ import annotations

from pathlib import Path

import click

from ..pipeline import Progress
from ..quality import FIDELITIES
from .batch import run_batch


@click.command("encode")
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", help="File, or folder: a name without suffix is a folder.")
@click.option(
    "-q", "--quality", type=click.FloatRange(1, 100), default=75, show_default=True, help="1 smallest ... 100 best."
)
@click.option(
    "--fidelity", type=click.Choice(FIDELITIES), default="normal", show_default=True, help="strict: bounded error."
)
@click.option("--strip", is_flag=True, help="Leave out EXIF, XMP and text (the ICC profile stays: colours need it).")
@click.option("--threads", type=click.IntRange(1), help="Tiles coded at once. [default: one for each CPU]")
@click.option("--backend", help="Who runs the networks; pico info --backends lists them. [default: auto]")
@click.option("-f", "--force", is_flag=True, help="Replace existing files.")
def command(
    images: tuple[Path, ...],
    output: str | None,
    quality: float,
    fidelity: str,
    strip: bool,
    threads: int | None,
    backend: str | None,
    force: bool,
) -> None:
    """Write IMAGES (anything that Pillow opens) as .pico files."""
    from PIL import Image

    import pillow_plugin

    def work(source: Path, target: Path, progress: Progress) -> str:
        with Image.open(source) as image:
            kept = {"exif": None, "xmp": None, "text": None} if strip else {}
            options = dict(quality=quality, fidelity=fidelity, threads=threads, backend=backend, progress=progress)
            pillow_plugin.save(image, target, **options, **kept)
            pixels = image.width * image.height
        size = target.stat().st_size
        return f"{target}: {size:,} bytes, {8 * size / pixels:.3f} bits per pixel (was {source.stat().st_size:,} bytes)"

    run_batch(images, output, ".pico", force, work)
