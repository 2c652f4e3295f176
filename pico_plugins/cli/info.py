"""``pico info``."""

from __future__ import annotations

import json
from pathlib import Path

import click


def describe(path: Path) -> dict[str, object]:
    """What is known about a file without decoding it."""
    from ..quality import quality_of_level
    from ..reader import read_header

    header = read_header(path)
    size = path.stat().st_size
    metadata = header.metadata
    return {
        "file": str(path),
        "bytes": size,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "alpha": header.alpha,
        "bit_depth": header.bit_depth,
        "bits_per_pixel": round(8 * size / (header.width * header.height), 4),
        "quality": round(quality_of_level(header.level)),
        "realism": round(header.realism, 3),
        "tile": header.tile,
        "tiles": len(header.grid),
        "model": header.model.hex(),
        "format_version": header.version,
        "exif_bytes": len(metadata.exif or b""),
        "icc_profile_bytes": len(metadata.icc_profile or b""),
        "xmp_bytes": len(metadata.xmp or b""),
        "cicp": list(metadata.cicp or b""),
        "text": metadata.text,
    }


@click.command("info")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--backends", is_flag=True, help="List the installed backends instead, with their times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(files: tuple[Path, ...], backends: bool, as_json: bool) -> None:
    """Show what .pico FILES say about themselves. Nothing is decoded."""
    if backends:
        _print_backends()
        return
    if not files:
        raise click.UsageError("no files given")
    failed = False
    for path in files:
        try:
            facts = describe(path)
        except (OSError, ValueError) as error:
            click.echo(f"{path}: {error}", err=True)
            failed = True
            continue
        if as_json:
            click.echo(json.dumps(facts))
        else:
            click.echo("\n".join(f"{name.replace('_', ' '):18}{value}" for name, value in facts.items()) + "\n")
    if failed:
        raise SystemExit(1)


def _print_backends() -> None:
    """One line for each: seconds until the first tile is decoded, milliseconds for one more, on all CPUs."""
    import time

    import numpy as np

    from .. import backends, decode, encode

    noise = np.random.default_rng(0).integers(0, 256, (126, 126, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    data = encode(noise, tile=504, backend="onnxruntime")
    chosen = backends.resolve(None)
    for name in backends.available():
        seconds = []
        for _ in range(6):
            start = time.perf_counter()
            try:
                decode(data, backend=name)
            except ValueError as error:  # installed, but not for this CPU
                click.echo(f"{name:15} {error}")
                break
            seconds.append(time.perf_counter() - start)
        else:
            later = sorted(seconds[1:])[2]
            note = "  (used unless another is asked for)" if name == chosen else ""
            click.echo(f"{name:15} first use {seconds[0]:.2f} s, then {later * 1e3:.0f} ms for a megapixel{note}")
