"""``pico info``."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from .failures import in_words
from .sources import Source, find


def describe(source: Source) -> dict[str, object]:
    """What is known about a file without decoding it."""
    from ..files import reading
    from ..format.reader import read_header
    from ..quality import quality_of_level

    with source.open() as opened, reading(opened) as file:
        header = read_header(file)
        size = source.size
        if size is None:  # a stream's end is where nothing comes any more
            size = sum(map(len, iter(partial(file.read, 1 << 20), b"")))
    metadata = header.metadata
    return {
        "file": str(source),
        "bytes": size,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "alpha": header.alpha,
        "bit_depth": header.bit_depth,
        "bits_per_pixel": round(8 * size / (header.width * header.height), 4),
        "quality": round(quality_of_level(header.level)),
        "realism": round(header.realism, 3),
        "fidelity": header.fidelity,
        "tune": header.tune,
        "may_synthesise": header.may_synthesise,
        "tile": header.tile,
        "tiles": len(header.grid),
        "model": header.model.hex(),
        "format_version": header.version,
        "exif_bytes": len(metadata.exif or b""),
        "icc_profile_bytes": len(metadata.icc_profile or b""),
        "xmp_bytes": len(metadata.xmp or b""),
        "cicp": list(metadata.cicp or b""),
        "dpi": metadata.dpi,
        "text": metadata.text,
    }


@click.command("info")
@click.argument("files", nargs=-1)
@click.option("-r", "--recursive", is_flag=True, help="Go into folders.")
@click.option("--backends", is_flag=True, help="List the backends instead, with their times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(files: tuple[str, ...], recursive: bool, backends: bool, as_json: bool) -> None:
    """Show what .pico FILES (- for standard input) say about themselves. Nothing is decoded."""
    if backends:
        _print_backends()
        return
    if not files:
        raise click.UsageError("no files given")
    failed = False
    for source in find(files, {".pico"}, recursive=recursive):
        try:
            facts = describe(source)
        except (OSError, ValueError) as error:
            click.echo(f"{source}: {in_words(error, str(source))}", err=True)
            failed = True
            continue
        if as_json:
            click.echo(json.dumps(facts))
        else:
            click.echo("\n".join(f"{name.replace('_', ' '):18}{value}" for name, value in facts.items()) + "\n")
    if failed:
        raise SystemExit(1)


def _print_backends() -> None:
    """One line for each, timed in a process of its own on all CPUs; then what is missing."""
    import tempfile

    import numpy as np

    from .. import backends
    from ..encoder import encode_file

    noise = np.random.default_rng(0).integers(0, 256, (126, 126, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.pico"
        encode_file(path, noise, tile=504)
        chosen = backends.resolve(None)  # now that it is known to work
        for name in backends.available():
            note = "  (used unless another is asked for)" if name == chosen else ""
            click.echo(f"{name:15} {_timing(name, path)}{note}")
    for name, reason in backends.unavailable().items():
        click.echo(f"{name:15} {reason}")


def _timing(name: str, path: Path) -> str:
    """How long a backend takes to decode ``path``, in a process of its own, in words."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "pico_plugins.cli.backend_timing", name, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "no answer in two minutes"
    except subprocess.CalledProcessError as error:
        return f"failed: {error.stderr.strip().splitlines()[-1]}"
    facts = json.loads(done.stdout.splitlines()[-1])
    if "error" in facts:
        return facts["error"]
    first, cpu, later = facts["first"], facts["cpu"], facts["later"]
    return f"first use {first:.2f} s ({cpu:.2f} s of CPU), then {later * 1e3:.0f} ms for a megapixel"
