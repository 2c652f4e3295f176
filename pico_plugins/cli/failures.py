"""How the command ends when something fails: a line on standard error and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

INTERRUPTED = 130
"""128 + SIGINT: what shells expect of a command that Ctrl-C has ended."""


def printing_anything() -> None:
    """Make standard output show what its encoding lacks as escapes: file names need not be valid text."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def failures_in_one_line() -> Iterator[None]:
    """What the world or a file does wrong is a line, without a traceback. Others are our mistakes, and keep theirs."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        raise SystemExit(INTERRUPTED) from None
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:  # nobody reads on: click ends quietly
            raise
        raise click.ClickException(in_words(error)) from error


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Turn the lack of a package that ``extra`` brings into an error that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == __package__.partition(".")[0]:
            raise
        msg = f"{error.name} is not installed: pip install 'pico-plugins[{extra}]'"
        raise click.ClickException(msg) from error


def in_words(error: Exception, known: str = "") -> str:
    """What to tell people about it. ``OSError``: without its number, which means nothing to them.

    The name of a file is left out if it is ``known``.
    """
    if isinstance(error, OSError) and error.strerror:
        named = error.filename is not None and str(error.filename) != known
        return f"{error.filename}: {error.strerror}" if named else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory"
    return str(error) or type(error).__name__
