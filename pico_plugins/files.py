"""Where bytes come from and go to: paths, buffers, open files and streams."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from .atomic import writing
from .streams import ReplayedStream

__all__ = ["Source", "as_seekable", "reading", "writing"]

Source = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO


@contextlib.contextmanager
def reading(source: Source) -> Iterator[BinaryIO]:
    """A seekable binary file on ``source``: a path, bytes, or a file object, which is left open.

    Of a stream or pipe that cannot seek no more is read than is asked for. Raises ``OSError`` as ``open`` does,
    ``TypeError`` for anything else.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(bytes(source))
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield as_seekable(file)
    elif hasattr(source, "read"):
        yield as_seekable(source)
    else:
        msg = f"expected a path, bytes or a binary file, not {type(source).__name__}"
        raise TypeError(msg)


def as_seekable(file: BinaryIO) -> BinaryIO:
    """``file`` itself, or what remembers what has been read of it."""
    seekable = getattr(file, "seekable", lambda: hasattr(file, "seek"))
    return file if seekable() else ReplayedStream(file)
