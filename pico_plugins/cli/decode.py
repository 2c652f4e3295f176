"""``pico decode``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..pipeline import Progress
from .batch import run_batch

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

_SCALES = {"1": 1, "1/2": 1 / 2, "1/4": 1 / 4, "1/8": 1 / 8}


def _png_text(info: dict) -> PngInfo:
    """Text, and XMP, which Pillow's PNG writer takes only in this form."""
    from PIL.PngImagePlugin import PngInfo

    found = PngInfo()
    for keyword, value in info.get("text", {}).items():
        found.add_itxt(keyword, value)
    if "xmp" in info:
        found.add_itxt("XML:com.adobe.xmp", info["xmp"].decode("utf-8", "replace"))
    return found


def _form(target: Path) -> str:
    """The format that Pillow writes by that name. Raises ``ValueError`` if there is none, or it is .pico itself."""
    from PIL import Image

    form = Image.registered_extensions().get(target.suffix.lower())
    if form not in Image.SAVE or form == "PICO":
        msg = f"cannot write {target.suffix} files"
        raise ValueError(msg)
    return form


def _write_map(source: Path, target: Path, progress: Progress, threads: int | None, backend: str | None) -> str:
    import numpy as np
    from PIL import Image

    from pico_plugins.authenticity import authenticity_map
    from pico_plugins.fidelity import BOUND
    from pico_plugins.files import writing

    form = _form(target)
    chance = authenticity_map(source, threads=threads, backend=backend, progress=progress)
    with writing(target) as file:
        Image.fromarray(np.rint(255 * chance).astype(np.uint8)).save(file, form)
    if not chance.any():
        return f"{target}: nothing is synthesised"
    return f"{target}: at realism 1, {chance.mean():.1%} of the image is likely off by more than {BOUND:g} levels"


@click.command("decode")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", help="File, or folder: a name without suffix is a folder.")
@click.option("--to", "suffix", default="png", show_default=True, help="Format to write, when --output does not say.")
@click.option("--scale", type=click.Choice(list(_SCALES)), default="1", show_default=True, help="For smaller images.")
@click.option("--realism", type=click.FloatRange(0, 1), help="0 faithful ... 1 perceptual. [default: as the file says]")
@click.option("--authenticity", help="Instead of pictures write, to this file or folder, maps of what is synthesised.")
@click.option("--threads", type=click.IntRange(1), help="Tiles decoded at once. [default: one for each CPU]")
@click.option("--backend", help="Who runs the networks; pico info --backends lists them. [default: auto]")
@click.option("-f", "--force", is_flag=True, help="Replace existing files.")
def command(
    files: tuple[Path, ...],
    output: str | None,
    suffix: str,
    scale: str,
    realism: float | None,
    authenticity: str | None,
    threads: int | None,
    backend: str | None,
    force: bool,
) -> None:
    """Write .pico FILES in a format that other programs read, metadata included."""
    from PIL import Image

    from pico_plugins.decoder import decode
    from pico_plugins.files import writing
    from pico_plugins.reader import read_header

    def work(source: Path, target: Path, progress: Progress) -> str:
        form = _form(target)
        info = read_header(source).info()
        options = dict(scale=_SCALES[scale], realism=realism, threads=threads, backend=backend, progress=progress)
        image = Image.fromarray(decode(source, **options))
        if form == "JPEG" and image.mode == "RGBA":
            msg = "JPEG has no transparency: decode to another format"
            raise ValueError(msg)
        kept = {name: info[name] for name in ("exif", "icc_profile", "xmp", "dpi") if name in info}
        if form == "PNG":
            kept["pnginfo"] = _png_text(info)
        with writing(target) as file:
            image.save(file, form, **kept)
        return f"{target}: {image.width} x {image.height}, {image.mode}"

    if authenticity:
        if output or scale != "1" or realism is not None:
            raise click.UsageError("--authenticity is of the whole image: not with --output, --scale or --realism")
        run_batch(files, authenticity, ".png", force, partial(_write_map, threads=threads, backend=backend))
    else:
        run_batch(files, output, f".{suffix.lstrip('.')}", force, work)
