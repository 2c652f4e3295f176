"""Reading from and writing to binary files of every kind: unbuffered ones may take or give less than they are asked to,
streams cannot seek."""

from __future__ import annotations

import errno
import io
import os
from typing import BinaryIO

_PART = 1 << 20
"""Bytes that are asked for at once: a file that declares much and holds little makes nobody allocate much."""


def read_up_to(file: BinaryIO, size: int) -> bytes:
    """``size`` bytes, or fewer at the end of ``file``. Raises ``TypeError`` for a text file, ``OSError`` for one that
    would have to be waited for."""
    parts, missing = [], size
    while missing > 0:
        part = file.read(min(missing, _PART))
        if part is None:
            raise BlockingIOError(errno.EAGAIN, "the stream has no data yet: it must be in blocking mode")
        if isinstance(part, str):
            msg = "the file must be opened in binary mode"
            raise TypeError(msg)
        if not part:
            break
        parts.append(bytes(part))
        missing -= len(part)
    return b"".join(parts)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write ``data``, in as many steps as ``file`` wants. Raises ``OSError`` if it takes nothing."""
    rest: bytes | memoryview = data
    while len(rest):
        count = file.write(rest)
        if count is None and not isinstance(file, io.RawIOBase):
            return  # many file-like objects return nothing when they have taken everything
        if not count:
            raise BlockingIOError(errno.EAGAIN, "the stream takes no data: it must be in blocking mode")
        rest = memoryview(rest)[count:]


class ReplayedStream:
    """A stream that cannot seek as a file that can: what has been read of it is remembered, and nothing read ahead.

    Positions count from where the stream stood.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._seen, self._length = stream, io.BytesIO(), 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        at = self._seen.tell()
        missing = at + size - self._length
        while missing > 0:  # in parts: what is skipped over is never in memory twice
            part = read_up_to(self._stream, min(missing, _PART))
            if not part:
                break
            self._seen.seek(self._length)
            self._seen.write(part)
            self._length += len(part)
            missing -= len(part)
        self._seen.seek(at)
        return self._seen.read(size)

    def tell(self) -> int:
        return self._seen.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where the stream ends is not known before it has been read."""
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("a stream does not know its end")
        return self._seen.seek(offset, whence)
