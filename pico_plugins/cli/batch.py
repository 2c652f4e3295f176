"""What encode and decode share: many files, one bar, a summary in the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

Work = Callable[[Path, Path, Callable[[int, int], None]], str]


def target_of(source: Path, output: Path | None, suffix: str, many: bool) -> Path:
    """Where the result for ``source`` goes: ``output`` if that names a file, else below it or beside the source."""
    if output is None:
        return source.with_suffix(suffix)
    if many or output.is_dir():
        return output / source.with_suffix(suffix).name
    return output


def run_batch(sources: tuple[Path, ...], output: Path | None, suffix: str, force: bool, work: Work) -> None:
    """Call ``work(source, target, progress)`` for each file and print the line it returns.

    A file that fails is reported on standard error and the rest goes on. Exit code: 0 all good, 1 some failed.
    """
    many = len(sources) > 1
    if many and output is not None:
        if output.exists() and not output.is_dir():
            raise click.UsageError("with several files, --output must be a folder")
        output.mkdir(parents=True, exist_ok=True)
    failed = 0
    taken: set[Path] = set()
    for source in sources:
        target = target_of(source, output, suffix, many)
        try:
            if target in taken or (target.exists() and not force):
                click.echo(f"{source}: {target} exists (--force replaces it)", err=True)
                failed += 1
                continue
            taken.add(target)
            with click.progressbar(length=1, label=source.name, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

                def progress(done: int, total: int) -> None:
                    bar.length = total
                    bar.update(done - bar.pos)

                line = work(source, target, progress)
        except (OSError, ValueError) as error:
            click.echo(f"{source}: {error}", err=True)
            failed += 1
        else:
            click.echo(line)
    if failed:
        raise SystemExit(1)
