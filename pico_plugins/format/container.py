"""Chunks: how bytes are framed in a file. docs/format.md is the specification; names here follow it."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import DamagedError, LimitError, NotPicoError, TruncatedError, UnsupportedError
from ..streams import read_up_to, write_all

MAGIC = b"\x89PICO\r\n\x1a"
MAX_METADATA = 32 << 20
"""Bytes that all chunks before the pixels may hold together."""

MAX_CHUNKS = 4096
"""How many those may be."""

_FRAME = struct.Struct("<4sI")
_CRC = struct.Struct("<I")
CHUNK_OVERHEAD = _FRAME.size + _CRC.size


def is_critical(kind: bytes) -> bool:
    """A chunk whose type starts with a capital letter must be understood to show the image."""
    return kind[:1].isupper()


def write_chunk(file: BinaryIO, kind: bytes, payload: bytes) -> None:
    """Frame ``payload``: type, length, payload, CRC-32 over all three. Raises ``ValueError`` if it is too long."""
    if len(payload) >= 1 << 32:
        msg = f"chunk {kind.decode()} of {len(payload)} bytes: a .pico file may hold less than 4 GiB of pixel data"
        raise ValueError(msg)
    frame = _FRAME.pack(kind, len(payload))
    write_all(file, frame)
    write_all(file, payload)
    write_all(file, _CRC.pack(zlib.crc32(payload, zlib.crc32(frame))))


def read_exactly(file: BinaryIO, size: int, where: str) -> bytes:
    """``size`` bytes, or :class:`TruncatedError` that says ``where``. Never allocates more than the file holds."""
    data = read_up_to(file, size)
    if len(data) < size:
        raise TruncatedError(size - len(data), where)
    return data


def read_magic(file: BinaryIO) -> None:
    """Consume the magic, or raise :class:`NotPicoError`."""
    start = read_up_to(file, len(MAGIC))
    if start != MAGIC:
        if start and MAGIC.startswith(start):
            raise TruncatedError(len(MAGIC) - len(start), "the magic bytes")
        why = "the magic bytes differ" if start else "it is empty, or was read to its end before"
        msg = f"not a PICO file: {why}"
        raise NotPicoError(msg)


def read_frame(file: BinaryIO) -> tuple[bytes, int, int]:
    """The next chunk's type, length and the CRC-32 of both, to go on with over the payload."""
    frame = read_exactly(file, _FRAME.size, "the frame of a chunk")
    kind, length = _FRAME.unpack(frame)
    if not kind.isalpha():
        msg = f"damaged PICO file: {kind!r} is not a chunk type"
        raise DamagedError(msg)
    return kind, length, zlib.crc32(frame)


def check_crc(file: BinaryIO, kind: bytes, crc: int) -> None:
    """Compare with the CRC-32 stored behind a payload."""
    name = f"chunk {kind.decode('latin-1')}"
    (stored,) = _CRC.unpack(read_exactly(file, _CRC.size, name))
    if stored != crc:
        msg = f"damaged PICO file: checksum of {name} differs"
        raise DamagedError(msg)


def read_chunks(file: BinaryIO, known: frozenset[bytes], stop: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, payload) of known chunks and return before the payload of ``stop``, whose frame is consumed.

    Unknown ancillary chunks are checked and skipped. Raises :class:`UnsupportedError` for an unknown critical one,
    :class:`LimitError` when there are more than ``MAX_CHUNKS`` or they exceed ``MAX_METADATA`` bytes together.
    """
    total = 0
    for count in itertools.count(1):
        kind, length, crc = read_frame(file)
        if kind == stop:
            yield kind, struct.pack("<II", length, crc)
            return
        total += CHUNK_OVERHEAD + length
        name = kind.decode("latin-1")
        if kind not in known and is_critical(kind):
            msg = f"PICO file needs a newer reader: unknown critical chunk {name}"
            raise UnsupportedError(msg)
        if total > MAX_METADATA:
            msg = f"chunk {name} brings the data before the pixels over {MAX_METADATA} bytes"
            raise LimitError(msg)
        if count > MAX_CHUNKS:
            msg = f"more than {MAX_CHUNKS} chunks before the pixels"
            raise LimitError(msg)
        payload = read_exactly(file, length, f"chunk {name}")
        check_crc(file, kind, zlib.crc32(payload, crc))
        if kind in known:
            yield kind, payload
