"""What encode and decode share: many files, where they go, a summary in the exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ..pipeline import Progress
from .progress import progress_bar

Work = Callable[[Path, Path, Progress], str]


def _is_folder(output: Path, given: str) -> bool:
    """A name without suffix, or with a separator at its end, means a folder, as does an existing one."""
    return output.is_dir() or given.endswith(("/", "\\")) or not output.suffix


def run_batch(sources: tuple[Path, ...], output: str | None, suffix: str, force: bool, work: Work) -> None:
    """Call ``work(source, target, progress)`` for each file and print the line it returns.

    A target is a file beside its source, in the folder ``output``, or ``output`` itself. A file that fails is reported
    on standard error and the rest goes on. Exit code: 0 all good, 1 some failed.
    """
    folder = file = None
    if output is not None:
        if _is_folder(Path(output), output):
            folder = Path(output)
            folder.mkdir(parents=True, exist_ok=True)
        elif len(sources) > 1:
            raise click.UsageError("with several files, --output must be a folder")
        else:
            file = Path(output)
            if not file.parent.is_dir():
                raise click.UsageError(f"the folder {file.parent} does not exist")
    failed = 0
    taken: dict[Path, Path] = {}
    for source in sources:
        target = file or (folder or source.parent) / f"{source.stem}{suffix}"
        try:
            _check_target(source, target, taken, force)
            taken[target] = source
            with progress_bar(source.name) as progress:
                line = work(source, target, progress)
        except Exception as error:  # whatever is wrong with one file, the others are not to blame
            click.echo(f"{source}: {error or type(error).__name__}", err=True)
            failed += 1
        else:
            click.echo(line)
    if failed:
        raise SystemExit(1)


def _check_target(source: Path, target: Path, taken: dict[Path, Path], force: bool) -> None:
    if target in taken:
        raise ValueError(f"{target} has just been written from {taken[target]}")
    if not target.exists():
        return
    if target.samefile(source):
        raise ValueError("the result would replace its source")
    if not force:
        raise ValueError(f"{target} exists (--force replaces it)")
