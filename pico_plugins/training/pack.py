"""Photos in parts of a given size, for a machine that takes no more at a time: ``python -m
pico_plugins.training.pack``.

A part is a folder with ``photos/`` and ``masks/``. Move its masks first, then its photos, to where a trainer with
``--watch`` looks.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import numpy as np

from .data import image_paths
from .text_masks import TextMasks


def parts_of(sizes: list[int], most: int, seed: int = 0) -> list[list[int]]:
    """Numbers of files of ``sizes`` bytes in parts of at most ``most`` bytes.

    The order is random, so that the first part is a fair sample. Raises ``ValueError`` if a file is larger than a part.
    """
    parts: list[list[int]] = [[]]
    room = most
    for number in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        if sizes[number] > most:
            msg = f"a file of {sizes[number]} bytes does not fit into a part of {most}"
            raise ValueError(msg)
        if sizes[number] > room:
            parts.append([])
            room = most
        parts[-1].append(number)
        room -= sizes[number]
    return parts


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--masks", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--mib", default=30.0, show_default=True, help="Largest size of a part.")
def main(data: tuple[Path, ...], masks: Path, out: Path, mib: float) -> None:
    """Copy the images below DATA and their masks to --out/00, --out/01 ..."""
    sources, mask_of = image_paths(data), TextMasks(masks).path
    sizes = [path.stat().st_size + mask_of(path).stat().st_size for path in sources]
    for number, part in enumerate(parts_of(sizes, int(mib * 2**20))):
        photos, kept = out / f"{number:02d}" / "photos", out / f"{number:02d}" / "masks"
        photos.mkdir(parents=True)
        kept.mkdir()
        for index in part:
            source = sources[index]
            shutil.copyfile(mask_of(source), kept / mask_of(source).name)
            shutil.copyfile(source, photos / f"{index:05d}{source.suffix.lower()}")  # names of two folders may be equal
        click.echo(f"{photos.parent}  {len(part)} images  {sum(sizes[index] for index in part) / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
