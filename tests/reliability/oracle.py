"""What any bytes may lead to: an image whose every byte was vouched for, or one documented exception."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageFile

import pico_plugins
import pillow_plugin  # noqa: F401  (registers .pico)
from pico_plugins.errors import PicoError

LIMIT = 128 * 128
"""Pixels that a fuzzed file may declare: hundreds of files a second, and still several tiles in each."""


def whole_tiles(data: bytes) -> list[bool]:
    """For each tile whether its checksum holds. Raises ``AssertionError`` if another checksum does not.

    A reader of its own, written from docs/format.md: it shares no code with the one that is under test.
    """
    assert data[:8] == b"\x89PICO\r\n\x1a"
    at, chunks = 8, {}
    while b"DATA" not in chunks:
        kind, length = struct.unpack_from("<4sI", data, at)
        payload = data[at + 8 : at + 8 + length]
        if kind != b"DATA":
            assert len(payload) == length
            assert zlib.crc32(data[at : at + 8 + length]) == struct.unpack_from("<I", data, at + 8 + length)[0], kind
        chunks[kind] = payload
        at += 12 + length
    fields = 3 if chunks[b"HEAD"][2] & 1 else 2
    at, whole = 0, []
    for entry in struct.iter_unpack(f"<{fields}I", chunks[b"INDX"]):
        size = sum(entry[:-1])
        tile = chunks[b"DATA"][at : at + size]
        whole.append(len(tile) == size and zlib.crc32(tile) == entry[-1])
        at += size
    return whole


def examine(data: bytes) -> str:
    """Open ``data`` in every way there is. Raises ``AssertionError``, or whatever undocumented exception comes up.

    Returns what it was: ``image``, or the name of the error.
    """
    try:
        header = pico_plugins.read_header(data)
    except PicoError as error:
        _pillow_agrees(data, readable=False)
        return type(error).__name__
    pixels, outcome = None, "image"
    try:
        pixels = pico_plugins.decode(data, max_pixels=LIMIT, threads=1)
    except PicoError as error:
        outcome = type(error).__name__
    else:
        assert pixels.shape == header.shape
        assert pixels.dtype == np.uint8
        assert all(whole_tiles(data)), "pixels from a damaged tile, and no error"
    if header.width * header.height > LIMIT:
        assert pixels is None
        return outcome
    _checking_agrees(data, pixels)
    _blank_tiles_are_reported(data, header, pixels)
    _smaller_ones_agree(data, header, pixels)
    _pillow_agrees(data, readable=True, pixels=pixels)
    return outcome


def _checking_agrees(data: bytes, pixels: np.ndarray | None) -> None:
    """The checksums alone, and the image in bands: refused where the whole is, or the same."""
    try:
        pico_plugins.check_file(data, LIMIT)
    except PicoError:
        assert pixels is None, "an image from a file that its checksums refuse"
    try:
        bands = [band for _, band in pico_plugins.decode_bands(data, max_pixels=LIMIT, threads=1)]
    except PicoError:
        assert pixels is None, "a whole file is refused in bands"
        return
    assert np.array_equal(np.concatenate(bands), pixels)


def _blank_tiles_are_reported(data: bytes, header: pico_plugins.Header, pixels: np.ndarray | None) -> None:
    damaged: list[int] = []
    try:
        shown = pico_plugins.decode(data, max_pixels=LIMIT, threads=1, damaged=damaged)
    except PicoError:
        assert pixels is None, "damage is tolerated, and yet a whole file is refused"
        return
    broken = {number for number, whole in enumerate(whole_tiles(data)) if not whole}
    assert broken <= set(damaged), "a damaged tile is not reported"
    if pixels is not None:
        assert not damaged
        assert np.array_equal(shown, pixels)
    for number in damaged:
        tile = header.grid[number]
        assert (shown[slice(*tile.rows), slice(*tile.columns)] == 128).all(), "a damaged tile shows something"


def _smaller_ones_agree(data: bytes, header: pico_plugins.Header, pixels: np.ndarray | None) -> None:
    """One reduced scale, chosen by the data: refused like the whole image, or of the right shape."""
    by = (2, 4, 8)[zlib.crc32(data) % 3]
    try:
        shown = pico_plugins.decode(data, scale=1 / by, max_pixels=LIMIT, threads=1)
    except PicoError:
        assert pixels is None, "a whole file is refused at a smaller scale"
        return
    assert pixels is not None, "a damaged file is shown at a smaller scale"
    assert shown.shape == (-(-header.height // by), -(-header.width // by), *header.shape[2:])
    with pico_plugins.LazyImage(data, max_pixels=LIMIT, threads=1) as image:
        assert np.array_equal(image.levels[0], pixels)


def _pillow_agrees(data: bytes, *, readable: bool, pixels: np.ndarray | None = None) -> None:
    """Pillow's plugin: ``UnidentifiedImageError`` where the header is wrong, ``OSError`` where the pixels are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=["PICO"])  # others have bugs of their own
        except Image.UnidentifiedImageError:
            assert not readable or data[:8] != b"\x89PICO\r\n\x1a"
            return
        except Image.DecompressionBombError:
            return
        assert readable
        with image:
            if pixels is None:
                # What the core refuses here must not load there either: the limit is the one thing that differs.
                assert not ImageFile.LOAD_TRUNCATED_IMAGES
                try:
                    image.load()
                except OSError:
                    return
                raise AssertionError("Pillow shows what the core refuses")
            assert np.array_equal(np.asarray(image), pixels)


def open_files() -> int:
    """File descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))
