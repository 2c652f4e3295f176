"""``pico encode``."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..pipeline import Progress
from ..quality import FIDELITIES, TUNES
from .batch import Batch, Claim, batch_options, max_pixels_option
from .pictures import bits, frames, in_eight_bits, opened, upright
from .sources import IMAGES, Source
from .targets import Target

if TYPE_CHECKING:
    from PIL import Image

_STRIPPED = {"exif": None, "xmp": None, "text": None}


@click.command("encode")
@click.argument("images", nargs=-1, required=True)
@batch_options
@click.option(
    "-q", "--quality", type=click.FloatRange(1, 100), default=75, show_default=True, help="1 smallest ... 100 best."
)
@click.option(
    "--fidelity", type=click.Choice(FIDELITIES), default="normal", show_default=True, help="strict: bounded error."
)
@click.option(
    "--tune", type=click.Choice(TUNES), default="pixels", show_default=True, help="eye: for the look at realism 1."
)
@click.option("--frame", type=click.IntRange(1), help="Of an animation or of several pages, this one, from 1.")
@click.option("--all-frames", is_flag=True, help="All of them, as NAME-1.pico, NAME-2.pico ...")
@click.option("--depth", type=click.Choice(["8"]), help="Scale samples of more bits to 8. [default: refuse them]")
@click.option(
    "--strip",
    is_flag=True,
    help="Leave out Exif, XMP and text; turn the picture upright.",
)
@max_pixels_option
@click.option("--threads", type=click.IntRange(1), help="Tiles coded at once. [default: one for each CPU]")
@click.option("--backend", help="Who runs the networks; pico info --backends lists them. [default: auto]")
def command(
    images: tuple[str, ...],
    batch: Batch,
    quality: float,
    fidelity: str,
    tune: str,
    frame: int | None,
    all_frames: bool,
    depth: str | None,
    strip: bool,
    max_pixels: int,
    threads: int | None,
    backend: str | None,
) -> None:
    """Write IMAGES (anything that Pillow opens, - for standard input) as .pico files."""
    import pillow_plugin

    if frame and all_frames:
        msg = "--frame and --all-frames exclude each other"
        raise click.UsageError(msg)

    def work(source: Source, claim: Claim, progress: Progress) -> Iterator[str]:
        options = dict(quality=quality, fidelity=fidelity, tune=tune)
        options |= dict(threads=threads, backend=backend, progress=progress)
        was = "" if source.size is None else f" (was {source.size:,} bytes)"
        with source.open() as file, opened(file, max_pixels) as image:
            for number, tag in _chosen(image, frame, all_frames):
                target = claim(tag)
                if target.skip:
                    yield f"{target}: exists, skipped"
                    continue
                _check_name(target)
                image.seek(number)
                coded = io.BytesIO()
                pillow_plugin.save(_prepared(image, depth, strip), coded, **options, **(_STRIPPED if strip else {}))
                with target.writing() as out:
                    out.write(coded.getbuffer())
                size, pixels = len(coded.getbuffer()), image.width * image.height
                yield f"{target}: {size:,} bytes, {8 * size / pixels:.3f} bits per pixel{was}"

    batch.run(images, IMAGES, ".pico", work, each=None if all_frames else 1)


def _chosen(image: Image.Image, frame: int | None, all_frames: bool) -> list[tuple[int, str]]:
    """Which frames to code, and what their names get. ``ValueError`` if nobody has said which."""
    found = frames(image)
    if all_frames and len(found) > 1:
        digits = len(str(len(found)))
        return [(number, f"-{count:0{digits}}") for count, number in enumerate(found, 1)]
    if frame is None and len(found) > 1:
        msg = f"has {len(found)} frames, a .pico file one: --frame N takes one, --all-frames writes a file of each"
        raise ValueError(msg)
    if frame is not None and frame > len(found):
        msg = f"has {len(found)} frame{'s' * (len(found) > 1)}, no frame {frame}"
        raise ValueError(msg)
    return [(found[(frame or 1) - 1], "")]


def _check_name(target: Target) -> None:
    """``ValueError`` if others would take the file for one of another format."""
    from PIL import Image

    suffix = target.suffix.lower()
    if target.path is not None and suffix != ".pico" and suffix in Image.registered_extensions():
        msg = f"{target} is named like a {Image.registered_extensions()[suffix]} file: give a name that ends in .pico"
        raise ValueError(msg)


def _prepared(image: Image.Image, depth: str | None, strip: bool) -> Image.Image:
    """The picture as it is to be coded. ``ValueError`` for more bits than a file holds, unless ``depth`` allows it."""
    found = bits(image)
    if found > 8 and depth is None:
        msg = f"has {found} bits a sample, a .pico file 8: --depth 8 scales them"
        raise ValueError(msg)
    image.load()
    if image.mode == "CMYK":
        warnings.warn("CMYK colours are converted to RGB without their profile", stacklevel=1)
    reduced = in_eight_bits(image, found)
    return upright(reduced) if strip else reduced
