"""One place of an image as several codecs show it, at equal size, side by side.

    python -m pico_plugins.evaluation.sheet photo.png --box 300 200 160 120 --rate 0.15 --rate 0.3 -o sheet.png

One row for each rate, one column for each codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .images import read_pixels
from .peer import Peer
from .peers import PEERS
from .size_search import nearest_quality

_LABEL, _GAP = 18, 4  # pixels

Cell = tuple[str, np.ndarray]


def shown(peer: Peer, pixels: np.ndarray, rate: float) -> Cell:
    """What ``peer`` makes of ``pixels`` at about ``rate`` bits per pixel; before it its name and the real rate."""
    count = pixels.shape[0] * pixels.shape[1]
    quality = nearest_quality(lambda quality: len(peer.encode(pixels, quality)), round(rate * count / 8))
    data = peer.encode(pixels, quality)
    return f"{peer.name} {8 * len(data) / count:.3f}", peer.decode(data)


def rows(
    pixels: np.ndarray, box: tuple[int, int, int, int], rates: list[float], peers: list[Peer]
) -> Iterator[list[Cell]]:
    """For each rate the original and every codec, cut to ``box`` = (left, top, width, height)."""
    left, top, width, height = box
    place = slice(top, top + height), slice(left, left + width)
    for rate in rates:
        cells = [("original", pixels)] + [shown(peer, pixels, rate) for peer in peers]
        yield [(name, image[place]) for name, image in cells]


def draw(cells: list[list[Cell]], zoom: int) -> Image.Image:
    """The sheet; every pixel ``zoom`` times as large, and nothing smoothed."""
    height, width = (zoom * side for side in cells[0][0][1].shape[:2])
    columns = len(cells[0])
    across = columns * (width + _GAP) - _GAP
    sheet = Image.new("RGB", (across, len(cells) * (height + _LABEL + _GAP) - _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, line in enumerate(cells):
        for column, (name, image) in enumerate(line):
            at = column * (width + _GAP), row * (height + _LABEL + _GAP)
            pen.text((at[0] + 2, at[1] + 1), name, "black", font)
            large = Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(large, (at[0], at[1] + _LABEL))
    return sheet


@click.command()
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--box", nargs=4, type=int, required=True, help="Left, top, width and height, in pixels.")
@click.option("--rate", "rates", multiple=True, type=float, default=(0.15, 0.3, 0.5), show_default=True)
@click.option("--against", multiple=True, type=click.Choice(sorted(PEERS)), default=("avif", "jxl", "webp", "vvc"))
@click.option("--realism", type=click.FloatRange(0, 1), default=1.0, show_default=True)
@click.option("--zoom", type=click.IntRange(1, 8), default=1, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(
    image: Path,
    box: tuple[int, int, int, int],
    rates: tuple[float, ...],
    against: tuple[str, ...],
    realism: float,
    zoom: int,
    output: Path,
) -> None:
    """Write the part of IMAGE inside a box as every codec shows it, one row for each rate in bits per pixel."""
    pixels = read_pixels(image)
    left, top, width, height = box
    if not (0 <= left < left + width <= pixels.shape[1] and 0 <= top < top + height <= pixels.shape[0]):
        raise click.UsageError(f"the box is not inside the image of {pixels.shape[1]} x {pixels.shape[0]} pixels")
    pico = replace(PEERS["pico"](realism), name=f"pico r={realism:g}")
    peers = [pico, *(PEERS[name]() for name in against)]
    draw(list(rows(pixels, box, list(rates), peers)), zoom).save(output)
    click.echo(str(output))


if __name__ == "__main__":
    main()
