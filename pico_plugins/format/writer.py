"""Writing a file: everything in its order."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from ..streams import write_all
from .container import MAGIC, write_chunk
from .header import Header


def write_file(file: BinaryIO, header: Header, tiles: list[tuple[bytes, bytes]]) -> None:
    """A whole file: ``tiles`` are (coded colour, coded alpha) in order; alpha is ignored if the header has none."""
    write_all(file, MAGIC)
    write_chunk(file, b"HEAD", header.pack())
    for kind, payload in header.metadata.chunks():
        write_chunk(file, kind, payload)
    index, data = bytearray(), bytearray()
    for colour, alpha in tiles:
        lengths = (len(colour), len(alpha)) if header.alpha else (len(colour),)
        index += struct.pack(f"<{len(lengths)}I", *lengths)
        index += struct.pack("<I", zlib.crc32(alpha, zlib.crc32(colour)))
        data += colour + alpha
    write_chunk(file, b"INDX", bytes(index))
    write_chunk(file, b"DATA", bytes(data))
