"""Where bytes come from and go to: paths, buffers and open files. Writing to a path is atomic."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

Source = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO


@contextlib.contextmanager
def reading(source: Source) -> Iterator[BinaryIO]:
    """A seekable binary file on ``source``: a path, bytes, or a file object, which is left open.

    Raises ``OSError`` as ``open`` does, ``TypeError`` for anything else.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file
    elif hasattr(source, "read"):
        seekable = getattr(source, "seekable", lambda: hasattr(source, "seek"))
        yield source if seekable() else io.BytesIO(source.read())
    else:
        msg = f"expected a path, bytes or a binary file, not {type(source).__name__}"
        raise TypeError(msg)


@contextlib.contextmanager
def writing(target: str | os.PathLike | BinaryIO) -> Iterator[BinaryIO]:
    """A binary file to write to. Under a path, the new contents appear at once or, on any failure, not at all."""
    if hasattr(target, "write"):
        yield target
        return
    path = os.path.realpath(os.fspath(target))  # a symbolic link stays one
    mode = _mode_of(path)
    if mode is not None and not stat.S_ISREG(mode):  # a device or pipe cannot be replaced, only written to
        with open(path, "wb") as file:
            yield file
        return
    if mode is not None and not os.access(path, os.W_OK):  # renaming would ask the folder only
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    folder, name = os.path.split(path)
    scratch = os.path.join(folder, f".{name[:100]}.{os.urandom(4).hex()}.tmp")
    try:
        handle = os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(scratch, stat.S_IMODE(mode))
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None
