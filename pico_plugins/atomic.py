"""Writing a file so that its old contents stay until the new ones are complete."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from .streams import write_all

_NOT_REPLACEABLE = frozenset({errno.EBUSY, errno.EXDEV, errno.EPERM})
"""What renaming over a file says that is mounted by itself, or not ours in a folder like /tmp."""

_NO_FSYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


@contextlib.contextmanager
def writing(target: str | bytes | os.PathLike | BinaryIO) -> Iterator[BinaryIO]:
    """A binary file to write to. Under a path, the new contents appear at once or, on any failure, not at all.

    Devices, pipes and open files (``/dev/stdout``) are written to as they are. A file that may be written but not
    replaced (mounted by itself, or in a folder that takes no new file) is written in place once its new contents are
    complete; it gets its old ones back if that fails. Raises ``OSError`` as ``open`` does.
    """
    if hasattr(target, "write"):
        yield target
        return
    path = _followed(os.fsdecode(target))
    old = _stat(path)
    if os.path.islink(path) or (old and not stat.S_ISREG(old.st_mode)):
        with _opened_as_it_is(path) as file:
            yield file
        return
    if old and not os.access(path, os.W_OK):  # renaming would ask the folder only
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    scratch = os.path.join(os.path.dirname(path), f".{os.urandom(8).hex()}.tmp")
    try:
        file = _created(scratch, stat.S_IMODE(old.st_mode) if old else 0o666)
    except OSError as error:
        if not (old or error.errno == errno.ENAMETOOLONG):
            raise type(error)(error.errno, error.strerror, path) from None
        file = None
    if file is None:
        with io.BytesIO() as file:
            yield file
            _write_in_place(path, file.getvalue())
        return
    try:
        with file:
            yield file
            _sync(file)
        _replace(path, scratch, old)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise


def _followed(path: str) -> str:
    """What a symbolic link names, so that the link stays one. Those of /proc and /dev/fd are no names but open files,
    and remain."""
    for _ in range(40):
        folder = os.path.dirname(path)
        if not os.path.islink(path) or os.path.realpath(folder).startswith(("/proc/", "/dev/fd")):
            break
        path = os.path.join(folder, os.readlink(path))
    return path


def _opened_as_it_is(path: str) -> BinaryIO:
    """A device, pipe or open file. One of this process goes on where it stands: opening it anew would empty a file that
    standard output is appended to."""
    folder, name = os.path.split(path)
    if name.isdigit() and os.path.realpath(folder) == f"/proc/{os.getpid()}/fd":
        return open(os.dup(int(name)), "wb")
    return open(path, "wb")


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _created(path: str, mode: int) -> BinaryIO:
    """A new file, not for a moment open to more people than the one that it will replace."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, mode), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:  # some network file systems have none
        if error.errno not in _NO_FSYNC:
            raise


def _replace(path: str, scratch: str, old: os.stat_result | None) -> None:
    """Put ``scratch`` in the place of ``path``, with the permissions of ``old`` and, if we may, its owner and group."""
    try:
        if old:
            if hasattr(os, "chown") and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):
                    os.chown(scratch, old.st_uid, old.st_gid)
            os.chmod(scratch, stat.S_IMODE(old.st_mode))
        os.replace(scratch, path)
    except OSError as error:
        if not old or error.errno not in _NOT_REPLACEABLE:
            raise type(error)(error.errno, error.strerror, path) from None
        with open(scratch, "rb") as file:
            data = file.read()
        _write_in_place(path, data)
        os.unlink(scratch)


def _write_in_place(path: str, data: bytes) -> None:
    new = not os.path.exists(path)
    with open(path, "xb" if new else "r+b", buffering=0) as file:
        old = b"" if new else file.read()
        try:
            _overwrite(file, data)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path) if new else _overwrite(file, old)
            raise


def _overwrite(file: BinaryIO, data: bytes) -> None:
    file.seek(0)
    write_all(file, data)
    file.truncate()
    _sync(file)
