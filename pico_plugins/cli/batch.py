"""What encode and decode share: options about files, many files in turn, a summary in the exit code."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import click

from ..format.header import MAX_PIXELS
from ..pipeline import Progress
from .failures import in_words
from .progress import progress_bar
from .sources import Source, find
from .targets import Target, Targets

Claim = Callable[..., Target]
Work = Callable[[Source, Claim, Progress], Iterator[str]]

_OPTIONS = (
    click.option("-o", "--output", help="File, folder (a name without suffix is one), or - for standard output."),
    click.option("-r", "--recursive", is_flag=True, help="Go into folders. They are made anew in --output."),
    click.option("-f", "--force", is_flag=True, help="Replace existing files."),
    click.option("--skip-existing", is_flag=True, help="Leave existing files alone, and go on."),
    click.option("--preserve-times", is_flag=True, help="Give results their sources' times of access and change."),
)

max_pixels_option = click.option(
    "--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, show_default=True, help="Refuse larger images."
)


@dataclass(frozen=True)
class Batch:
    """The options of :func:`batch_options`."""

    output: str | None
    recursive: bool
    force: bool
    skip_existing: bool
    preserve_times: bool

    def to(self, output: str) -> Batch:
        """The same with another output."""
        return replace(self, output=output)

    def run(
        self, arguments: tuple[str, ...], suffixes: Collection[str], suffix: str, work: Work, *, each: int | None = 1
    ) -> None:
        """Call ``work(source, claim, progress)`` for each source and print the lines it yields.

        ``suffixes``: of the files to take from folders. ``suffix``: of results whose name --output does not say.
        ``claim(tag="")`` gives a :class:`Target` of the source; ``each``: see :class:`Targets`. What fails is reported
        on standard error and the rest goes on. Exit code: 0 all good, 1 some failed.
        """
        if self.force and self.skip_existing:
            msg = "--force and --skip-existing exclude each other"
            raise click.UsageError(msg)
        sources = find(arguments, suffixes, recursive=self.recursive)
        filter_like = self.output is None and [source.path for source in sources] == [None]
        targets = Targets(
            "-" if filter_like else self.output,
            suffix,
            sources=len(sources),
            each=each,
            force=self.force,
            skip_existing=self.skip_existing,
            preserve_times=self.preserve_times,
        )
        failed = 0
        for source in sources:
            lines: list[str] = []
            try:
                with _warnings_in_lines(source), progress_bar(str(source)) as progress:
                    for line in work(source, functools.partial(targets.claim, source), progress):
                        lines.append(line)  # printed when the bar is gone
            except BrokenPipeError:  # nobody reads on: that is no fault of this file, and there is nobody to tell
                raise
            except Exception as error:  # whatever is wrong with one file, the others are not to blame
                click.echo(f"{source}: {in_words(error, str(source))}", err=True)
                failed += 1
            for line in lines:
                click.echo(line, err=targets.are_streams)
        if failed:
            raise SystemExit(1)


def batch_options(command: Callable) -> Callable:
    """Give ``command`` the options that are about files, as one argument ``batch``."""

    @functools.wraps(command)
    def gathered(
        output: str | None, recursive: bool, force: bool, skip_existing: bool, preserve_times: bool, **others: object
    ) -> None:
        command(batch=Batch(output, recursive, force, skip_existing, preserve_times), **others)

    return functools.reduce(lambda found, option: option(found), reversed(_OPTIONS), gathered)


@contextmanager
def _warnings_in_lines(source: Source) -> Iterator[None]:
    """Warnings meant for users become lines on standard error that name the file, each once for every file."""
    with warnings.catch_warnings(record=True) as caught:
        for category in (UserWarning, RuntimeWarning):
            warnings.filterwarnings("always", category=category)
        try:
            yield
        finally:
            for message in dict.fromkeys(str(warning.message) for warning in caught):
                click.echo(f"{source}: warning: {message}", err=True)
