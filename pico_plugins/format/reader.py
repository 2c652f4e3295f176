"""Reading a file without decoding it: its header, and the bytes of single tiles, checked."""

from __future__ import annotations

import os
import zlib
from typing import BinaryIO

from ..errors import DamagedError, TruncatedError
from ..files import Source, reading
from .container import check_crc, read_exactly, read_frame
from .header import Header, check_pixels, read_head


def read_header(source: Source) -> Header:
    """The header and metadata of a .pico file: no pixels, no network. A file object is left where it was.

    Raises a :class:`pico_plugins.errors.PicoError` for a file that is none, ``OSError`` when reading fails.
    """
    with reading(source) as file:
        start = file.tell()
        try:
            return read_head(file)[0]
        finally:
            file.seek(start)


class TileReader:
    """Random access to the tiles of an open file."""

    def __init__(self, file: BinaryIO, max_pixels: int | None = None) -> None:
        """``file`` is seekable and stands where the .pico file begins. Raises a ``PicoError`` if that is not so."""
        from .tile_index import TileIndex  # brings NumPy, which reading a header does without

        self._file = file
        self.header, crc = read_head(file)
        check_pixels(self.header, max_pixels)
        self.index = TileIndex(file, self.header, crc)
        self._crc_done = 0
        try:
            kind, length, self._crc = read_frame(file)
        except TruncatedError as error:
            raise TruncatedError(error.missing + self.index.payload_size + 4, "chunk DATA") from None
        if kind != b"DATA" or length != self.index.payload_size:
            msg = "damaged PICO file: the pixel data is not what the tile index announces"
            raise DamagedError(msg)
        self._start = file.tell()

    def tile_bytes(self, number: int) -> tuple[bytes, bytes]:
        """Colour and alpha bytes of a tile, checked. Raises ``DamagedError`` or ``TruncatedError``."""
        offset, colour, alpha, crc = self.index.entry(number)
        self._file.seek(self._start + offset)
        try:
            data = read_exactly(self._file, colour + alpha, f"tile {number}")
        except TruncatedError as error:
            left = _remaining_bytes(self._file) or 0
            end = self._start + self.index.payload_size + 4
            raise TruncatedError(max(error.missing, end - self._file.tell() - left), error.where) from None
        if zlib.crc32(data) != crc:
            msg = f"damaged PICO file: checksum of tile {number} differs"
            raise DamagedError(msg)
        if number == self._crc_done:  # read from the first to the last, the tiles are the whole chunk
            self._crc = zlib.crc32(data, self._crc)
            self._crc_done += 1
        return data[:colour], data[colour:]

    def finish(self) -> None:
        """Check the checksum of the DATA chunk, once all tiles have been read in order."""
        if self._crc_done == len(self.index):
            self._file.seek(self._start + self.index.payload_size)
            check_crc(self._file, b"DATA", self._crc)


def check_file(source: Source, max_pixels: int | None = None) -> None:
    """Check every checksum of a .pico file without decoding it. Raises a ``PicoError`` if one differs."""
    with reading(source) as file:
        reader = TileReader(file, max_pixels)
        for number in range(len(reader.index)):
            reader.tile_bytes(number)
        reader.finish()


def _remaining_bytes(file: BinaryIO) -> int | None:
    """Bytes from here to the file's end, or None where the file cannot tell."""
    try:
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (OSError, AttributeError):
        return None
    return end - here
