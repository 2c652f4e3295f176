"""A run's files in pieces of a given size, and together again: ``python -m pico_plugins.training.pieces``.

For machines that give back a few files of limited size. What is kept: the log, the averaged weights, and the state to
go on from, which is the one from before the learning rate fell where there is one.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import click

from .run import AVERAGE, BEFORE_DECAY, LOG, STATE

_NAME = "run.tar.{:02d}"


def cut(run: Path, out: Path, files: int, size: int) -> list[Path]:
    """Write at most ``files`` pieces of at most ``size`` bytes to ``out``. A run may be cut while it goes on.

    Raises ``ValueError`` if it is larger than that, before anything is written.
    """
    state = BEFORE_DECAY if (run / BEFORE_DECAY).exists() else STATE
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kept_as in ((LOG, LOG), (AVERAGE, AVERAGE), (state, STATE)):
            archive.add(run / name, kept_as)
    data = buffer.getvalue()
    if len(data) > files * size:
        msg = f"the run has {len(data)} bytes, more than {files} files of {size}"
        raise ValueError(msg)
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, start in enumerate(range(0, len(data), size)):
        paths.append(out / _NAME.format(number))
        paths[-1].write_bytes(data[start : start + size])
    return paths


def join(pieces: Path, run: Path) -> None:
    """Put what :func:`cut` wrote to the folder ``pieces`` into ``run``, to resume or to export.

    Raises ``ValueError`` if a piece is missing.
    """
    data = b"".join(path.read_bytes() for path in sorted(pieces.glob("run.tar.*")))
    run.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(run, filter="data")
    except tarfile.TarError as error:
        msg = f"{pieces}: pieces of a run are missing or damaged ({error})"
        raise ValueError(msg) from error


@click.group()
def main() -> None:
    """Cut a run into pieces, or join them."""


@main.command("cut")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--files", default=8, show_default=True, help="At most so many pieces ...")
@click.option("--mib", default=8.0, show_default=True, help="... of at most this size.")
def cut_command(run: Path, out: Path, files: int, mib: float) -> None:
    """Write the pieces of RUN to --out."""
    for path in cut(run, out, files, int(mib * 2**20)):
        click.echo(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")


@main.command("join")
@click.argument("pieces", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def join_command(pieces: Path, out: Path) -> None:
    """Put PIECES together to the run --out."""
    join(pieces, out)


if __name__ == "__main__":
    main()
