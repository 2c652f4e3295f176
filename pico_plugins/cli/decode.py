"""``pico decode``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from ..pipeline import Progress
from .batch import Batch, Claim, batch_options, max_pixels_option
from .formats import LOSSY, SUBSAMPLED, check_picture, format_of, holds, pieces, save_options, title
from .pictures import upright
from .sources import Source

if TYPE_CHECKING:
    from ..format.header import Header

_SCALES = {"1": 1, "1/2": 1 / 2, "1/4": 1 / 4, "1/8": 1 / 8}
_QUALITY = 95  # of formats that lose something: what has been lost already is enough
_SUBSAMPLING = "4:4:4"


def _loss(form: str, quality: int | None, subsampling: str | None) -> dict[str, object]:
    """What ``Image.save`` is told about loss. ``ValueError`` for an option that the format has not."""
    if quality and form not in LOSSY:
        msg = f"--quality is of {', '.join(LOSSY)}: {form} has none"
        raise ValueError(msg)
    if subsampling and form not in SUBSAMPLED:
        msg = f"--subsampling is of {', '.join(SUBSAMPLED)}: {form} has none"
        raise ValueError(msg)
    options: dict[str, object] = {"quality": quality or _QUALITY} if form in LOSSY else {}
    return options | ({"subsampling": subsampling or _SUBSAMPLING} if form in SUBSAMPLED else {})


def _checked(header: Header, max_pixels: int) -> Header:
    """``ValueError`` for a larger image, in the words of this command."""
    if header.width * header.height > max_pixels:
        msg = f"has more than {max_pixels} pixels: a higher --max-pixels allows it"
        raise ValueError(msg)
    return header


def _write_map(source: Source, claim: Claim, progress: Progress, max_pixels: int, **options: object) -> Iterator[str]:
    """The map, turned as programs that follow the picture's Exif show the picture."""
    import numpy as np
    from PIL import Image

    from pico_plugins.authenticity import authenticity_map
    from pico_plugins.fidelity import BOUND
    from pico_plugins.files import reading

    from ..format.reader import read_header

    target = claim()
    if target.skip:
        yield f"{target}: exists, skipped"
        return
    form = format_of(target.suffix)
    with source.open() as opened, reading(opened) as file:
        exif = _checked(read_header(file), max_pixels).info().get("exif")
        chance = authenticity_map(file, max_pixels=max_pixels, progress=progress, **options)
    shown = Image.fromarray(np.rint(255 * chance).astype(np.uint8))
    shown.info["exif"] = exif
    with target.writing() as out:
        upright(shown).save(out, form, **_loss(form, None, None))
    if not chance.any():
        yield f"{target}: nothing is synthesised"
    else:
        yield f"{target}: at realism 1, {chance.mean():.1%} of the image is likely off by more than {BOUND:g} levels"


@click.command("decode")
@click.argument("files", nargs=-1, required=True)
@batch_options
@click.option("--to", "suffix", help="Format to write, when --output does not say. [default: png]")
@click.option("-q", "--quality", type=click.IntRange(1, 100), help=f"Of JPEG, WebP, AVIF, PDF. [default: {_QUALITY}]")
@click.option(
    "--subsampling",
    type=click.Choice(["4:4:4", "4:2:2", "4:2:0"]),
    help=f"Of colours in JPEG and AVIF. [default: {_SUBSAMPLING}]",
)
@click.option("--strip", is_flag=True, help="Leave out Exif, XMP and text; turn the picture upright.")
@click.option("--scale", type=click.Choice(list(_SCALES)), default="1", show_default=True, help="For smaller images.")
@click.option("--realism", type=click.FloatRange(0, 1), help="0 faithful ... 1 perceptual. [default: as the file says]")
@click.option("--authenticity", help="Instead of pictures write, to this file or folder, maps of what is synthesised.")
@max_pixels_option
@click.option("--threads", type=click.IntRange(1), help="Tiles decoded at once. [default: one for each CPU]")
@click.option("--backend", help="Who runs the networks; pico info --backends lists them. [default: auto]")
def command(
    files: tuple[str, ...],
    batch: Batch,
    suffix: str | None,
    quality: int | None,
    subsampling: str | None,
    strip: bool,
    scale: str,
    realism: float | None,
    authenticity: str | None,
    max_pixels: int,
    threads: int | None,
    backend: str | None,
) -> None:
    """Write .pico FILES (- for standard input) in a format that other programs read, metadata included.

    Metadata that the format cannot hold is left out, with a warning.
    """
    from PIL import Image

    from pico_plugins.decoder import decode
    from pico_plugins.files import reading

    from ..format.reader import read_header

    options = dict(threads=threads, backend=backend, max_pixels=max_pixels)

    def work(source: Source, claim: Claim, progress: Progress) -> Iterator[str]:
        target = claim()
        if target.skip:
            yield f"{target}: exists, skipped"
            return
        form = format_of(target.suffix)
        if suffix and format_of(f".{suffix.lstrip('.')}") != form:
            msg = f"--to {suffix}, but {target} is named like a {form} file"
            raise ValueError(msg)
        loss = _loss(form, quality, subsampling)
        with source.open() as opened, reading(opened) as file:
            header = _checked(read_header(file), max_pixels)
            by = round(1 / _SCALES[scale])
            check_picture(form, header.mode, (-(-header.width // by), -(-header.height // by)))
            pixels = decode(file, scale=_SCALES[scale], realism=realism, progress=progress, **options)
            image = Image.fromarray(pixels)
        info = header.info()
        wanted = [piece for piece in pieces(info) if not (strip and piece[0] in ("exif", "xmp", "text"))]
        held = [piece for piece in wanted if holds(form, image.mode, piece)]
        if lost := [title(piece) for piece in wanted if piece not in held]:
            warnings.warn(f"{form} cannot hold what is left out: {', '.join(lost)}", stacklevel=1)
        if "exif" in info and ("exif", info["exif"]) not in held:  # it still says how to turn the picture
            image.info["exif"] = info["exif"]
            image = upright(image)
        with target.writing() as out:
            image.save(out, form, **loss, **save_options(form, held))
        yield f"{target}: {image.width} x {image.height}, {image.mode}"

    if not authenticity:
        batch.run(files, {".pico"}, f".{(suffix or 'png').lstrip('.')}", work)
    elif batch.output or scale != "1" or realism is not None or suffix or quality or subsampling or strip:
        msg = "--authenticity is of the whole image, and goes where it says: --output, --scale and others do not apply"
        raise click.UsageError(msg)
    else:
        batch.to(authenticity).run(files, {".pico"}, ".png", partial(_write_map, **options))
