"""Where bytes come from and go to: paths, buffers and open files. Writing to a path is atomic."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
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
    handle, scratch = tempfile.mkstemp(prefix=".pico-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, _mode_for(path))
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise


def _mode_for(path: str) -> int:
    """Permissions of the file that is replaced, or those a new file would get."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
