"""``pico demo``: the whole way on a photo that is shipped."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .pictures import check_photo, upright

if TYPE_CHECKING:
    from PIL import Image

PHOTO = Path(__file__).parent.parent / "demo" / "coffee.png"


_NAMES = {
    "PICO": ("{}.pico", "{}-pico.png"),
    "PICO perceptual": ("{}.pico", "{}-pico-perceptual.png"),
    "JPEG": ("{}.jpeg", "{}-jpeg.png"),
    "AVIF": ("{}.avif", "{}-avif.png"),
}
"""What the files are called: the coded one, and what it shows."""


def _names(stem: str) -> set[str]:
    return {name.format(stem) for names in _NAMES.values() for name in names}


def _peer(image: Image.Image, form: str, size: int) -> tuple[int, bytes, float, float]:
    """(quality, file, encode s, decode s) of the quality whose file is nearest to ``size`` bytes."""
    from PIL import Image

    from ..evaluation.size_search import nearest_quality

    def coded(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, form, quality=quality, **({"optimize": True, "progressive": True} if form == "JPEG" else {}))
        return out.getvalue()

    quality = nearest_quality(lambda quality: len(coded(quality)), size, highest=95)
    start = time.perf_counter()
    data = coded(quality)
    middle_time = time.perf_counter()
    Image.open(io.BytesIO(data)).load()
    return quality, data, middle_time - start, time.perf_counter() - middle_time


@click.command("demo")
@click.argument("photo", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    default="pico-demo",
    type=click.Path(file_okay=False, path_type=Path),
    show_default=True,
    help="Folder to write to.",
)
@click.option("-q", "--quality", type=click.FloatRange(1, 100), default=40, show_default=True)
@click.option("-f", "--force", is_flag=True, help="Replace existing files.")
def command(photo: Path | None, output: Path, quality: float, force: bool) -> None:
    """Code PHOTO (default: one that is shipped), decode it both ways, compare with JPEG and AVIF of the same size."""
    import numpy as np
    from PIL import Image, features

    from ..decoder import decode
    from ..encoder import encode
    from ..fidelity import psnr

    source = photo or PHOTO
    output.mkdir(parents=True, exist_ok=True)
    if output.samefile(source.parent):
        raise click.UsageError("--output must be another folder than the photo's")
    there = sorted(path for path in output.iterdir() if path.name in _names(source.stem))
    if there and not force:
        raise click.ClickException(f"{', '.join(map(str, there))}: there already (--force replaces what is)")
    check_photo(source)
    with Image.open(source) as opened:
        image = upright(opened).convert("RGB")
    pixels = np.asarray(image)
    warm_up = encode(pixels[:64, :64], quality)  # load the networks before the clock starts
    for realism in (0.0, 1.0):
        decode(warm_up, realism=realism)

    start = time.perf_counter()
    data = encode(pixels, quality)
    middle = time.perf_counter()
    decoded = decode(data)
    encode_s, end = middle - start, time.perf_counter()
    perceptual = decode(data, realism=1.0)
    rows = [
        ("PICO", quality, data, decoded, encode_s, end - middle),
        ("PICO perceptual", quality, data, perceptual, encode_s, time.perf_counter() - end),
    ]
    for form in ("JPEG", "AVIF"):
        if form == "AVIF" and not features.check("avif"):
            click.echo("AVIF: this Pillow cannot write it", err=True)
            continue
        peer_quality, peer_data, encode_s, decode_s = _peer(image, form, len(data))
        peer_pixels = np.asarray(Image.open(io.BytesIO(peer_data)).convert("RGB"))
        rows.append((form, peer_quality, peer_data, peer_pixels, encode_s, decode_s))

    click.echo(f"{source.name}: {image.width} x {image.height} pixels")
    click.echo(f"{'':15} {'quality':>7} {'bytes':>9} {'bits/px':>8} {'PSNR dB':>8} {'encode s':>9} {'decode s':>9}")
    for name, q, coded, shown, encode_s, decode_s in rows:
        bpp = 8 * len(coded) / (image.width * image.height)
        click.echo(
            f"{name:15} {q:7.0f} {len(coded):9,} {bpp:8.3f} {psnr(pixels, shown):8.2f} {encode_s:9.3f} {decode_s:9.3f}"
        )
        coded_name, shown_name = _NAMES[name]
        (output / coded_name.format(source.stem)).write_bytes(coded)
        Image.fromarray(shown).save(output / shown_name.format(source.stem))
    click.echo(f"Written to {output}: {source.stem}.pico, the pictures it shows, and the same for the others.")
    click.echo("PICO perceptual is the same file at realism 1: detail that it lacks is drawn (docs/honesty.md).")
