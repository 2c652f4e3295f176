"""What a command is to read: files, folders, standard input."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import click

IMAGES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp"}
    | {".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi"}
)
"""Suffixes of the files that are taken for images when a folder is searched."""


def is_stream(path: Path) -> bool:
    """Whether there is something at ``path`` without beginning and end, a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def binary(stream: TextIO | None, name: str) -> BinaryIO:
    """The bytes of a standard stream. Raises ``OSError`` if it is closed, which Python shows as none."""
    if stream is None:
        raise OSError(errno.EBADF, f"{name} is closed")
    return stream.buffer


@dataclass(frozen=True)
class Source:
    """A file to read, or standard input (``path`` None). ``folder``: where in the searched folder it was found."""

    path: Path | None
    folder: Path = Path()

    def __str__(self) -> str:
        return "standard input" if self.path is None else str(self.path)

    @property
    def stem(self) -> str:
        """The name without suffix. ``ValueError`` for standard input."""
        if self.path is None:
            msg = "standard input has no name: give --output a file"
            raise ValueError(msg)
        return self.path.stem

    @property
    def size(self) -> int | None:
        """Bytes, if it is a file."""
        return self.path.stat().st_size if self.path is not None and self.path.is_file() else None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Raises ``OSError``."""
        if self.path is None:
            yield binary(sys.stdin, "standard input")
            return
        if self.path.is_dir():
            os.listdir(self.path)  # a folder that may not be read says so first
            raise IsADirectoryError(errno.EISDIR, "is a folder: --recursive takes the files in it")
        with self.path.open("rb") as file:
            yield file


def find(arguments: Iterable[str], suffixes: Collection[str], *, recursive: bool) -> list[Source]:
    """The sources that a command line names, "-" being standard input.

    ``recursive``: for a folder, the files in and below it that end in one of ``suffixes``. Hidden ones are left out, as
    shells do, and pipes; links to folders are not followed. What cannot be read is kept: its turn to fail will come.
    Raises ``click.UsageError`` if there is nothing to do.
    """
    found: list[Source] = []
    for argument in arguments:
        path = Path(argument)
        if argument in ("-", "/dev/stdin"):
            found.append(Source(None))
        elif recursive and path.is_dir():
            found += (Source(file, file.relative_to(path).parent) for file in _walk(path, suffixes))
        else:
            found.append(Source(path))
    if not found:
        msg = f"no files to work on in {', '.join(arguments)}"
        raise click.UsageError(msg)
    if not any(source.path is None or os.path.lexists(source.path) for source in found):
        msg = f"{', '.join(arguments)}: no such file"
        raise click.UsageError(msg)
    if sum(source.path is None for source in found) > 1:
        msg = "standard input can be read once"
        raise click.UsageError(msg)
    return found


def _walk(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in suffixes and not is_stream(path):
                yield path
    yield from (Path(error.filename) for error in unreadable)
