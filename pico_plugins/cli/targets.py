"""Where a command's results go: beside the sources, into a folder, to one file, to standard output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from ..files import writing
from ..streams import write_all
from .sources import Source, binary, is_stream


@dataclass(frozen=True)
class Target:
    """A file to write, or standard output (``path`` None).

    ``suffix`` names the format. ``times``: of access and change, that the file gets. ``skip``: it is to be left alone.
    """

    path: Path | None
    suffix: str
    times: tuple[int, int] | None = None
    skip: bool = False

    def __str__(self) -> str:
        return "standard output" if self.path is None else str(self.path)

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """A seekable file. Nothing reaches the target before the end, nor if anything fails."""
        if self.path is None or is_stream(self.path):
            buffer = io.BytesIO()  # a pipe cannot seek, which some formats have to
            yield buffer
            with writing(binary(sys.stdout, str(self)) if self.path is None else self.path) as file:
                write_all(file, buffer.getvalue())
                file.flush()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with writing(self.path) as file:
            yield file
        if self.times:
            os.utime(self.path, ns=self.times)


class Targets:
    """Gives each source its target."""

    def __init__(
        self,
        output: str | None,
        suffix: str,
        *,
        sources: int,
        each: int | None = 1,
        force: bool = False,
        skip_existing: bool = False,
        preserve_times: bool = False,
    ) -> None:
        """``output``: None (beside each source), "-", a file, or a folder, which is made if need be.

        ``suffix``: what names end in when ``output`` does not say. ``sources``: how many there are. ``each``: how many
        targets one has; None: as many as it asks for. Raises ``click.UsageError`` for an output that cannot be,
        ``OSError`` if the folder cannot be made.
        """
        self._output, self._suffix = output, suffix
        self._force, self._skip_existing, self._preserve_times = force, skip_existing, preserve_times
        self._claimed: dict[str, tuple[Path, Source]] = {}
        self._kind = _kind(output)
        if self._kind == "folder":
            if Path(output).is_file():
                msg = f"{output} is a file, and a name without suffix means a folder: give another name"
                raise click.UsageError(msg)
            Path(output).mkdir(parents=True, exist_ok=True)
        elif self._kind == "file":
            if sources > 1:
                msg = "with several files, --output must be a folder"
                raise click.UsageError(msg)
            if not Path(output).parent.is_dir():
                msg = f"the folder {Path(output).parent} does not exist"
                raise click.UsageError(msg)
        elif self.are_streams:
            if sources > 1 or each != 1:
                msg = f"several files cannot go to {output}: --output must be a folder"
                raise click.UsageError(msg)
            if preserve_times:
                msg = "--preserve-times is for files"
                raise click.UsageError(msg)
            if self._kind == "stdout" and binary(sys.stdout, "standard output").isatty():
                msg = "standard output is a terminal: give --output a file"
                raise click.UsageError(msg)

    @property
    def are_streams(self) -> bool:
        """Whether results go to standard output, a pipe or a device, and messages should not."""
        return self._kind in ("stdout", "stream")

    def claim(self, source: Source, tag: str = "") -> Target:
        """The target of ``source``; ``tag`` tells several of one source apart.

        Raises ``ValueError`` for what may not be replaced.
        """
        if self._kind == "stdout":
            return Target(None, self._suffix)
        path = self._path(source, tag)
        if self._kind == "stream":
            return Target(path, path.suffix or self._suffix)
        exists = path.exists()
        key = str(path).casefold()  # some file systems take a.pico and A.pico for one file
        other, earlier = self._claimed.get(key, (None, None))
        if exists and other is not None and path.samefile(other):
            msg = f"{path} has just been written from {earlier}"
            raise ValueError(msg)
        if exists and source.path is not None and path.samefile(source.path):
            msg = "the result would replace its source"
            raise ValueError(msg)
        if exists and not (self._force or self._skip_existing):
            msg = f"{path} exists (--force replaces it)"
            raise ValueError(msg)
        self._claimed[key] = path, source
        return Target(path, path.suffix, self._times(source), skip=exists and self._skip_existing)

    def _path(self, source: Source, tag: str) -> Path:
        if self._kind in ("file", "stream"):
            given = Path(self._output)
            return given.with_stem(given.stem + tag) if tag else given
        name = f"{source.stem}{tag}{self._suffix}"
        return Path(self._output) / source.folder / name if self._kind == "folder" else source.path.parent / name

    def _times(self, source: Source) -> tuple[int, int] | None:
        if not self._preserve_times:
            return None
        if source.path is None:
            msg = "--preserve-times is for files: standard input has no times"
            raise ValueError(msg)
        found = source.path.stat()
        return found.st_atime_ns, found.st_mtime_ns


def _kind(output: str | None) -> str:
    """A name without suffix, or with a separator at its end, means a folder, as does an existing one."""
    if output is None:
        return "beside"
    if output in ("-", "/dev/stdout"):
        return "stdout"
    if not output:
        raise click.UsageError("--output is empty")
    path = Path(output)
    if is_stream(path):
        return "stream"
    return "folder" if path.is_dir() or output.endswith(("/", "\\")) or not path.suffix else "file"
