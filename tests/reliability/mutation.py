"""Changes to .pico files that get past the checksums: fields, chunks and tiles are altered and the file put together
again, so that what lies behind the first CRC is reached too."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pico_plugins import weights
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.entropy.symbol_coder import SymbolEncoder
from pico_plugins.format.tile_grid import TileGrid

MAGIC = b"\x89PICO\r\n\x1a"
HEAD = struct.Struct("<BBBBBBHBII8s")
KINDS = (b"exif", b"iccp", b"xmpp", b"cicp", b"text", b"HEAD", b"INDX", b"DATA", b"zzzz", b"Zzzz")
INTERESTING = (0, 1, 2, 3, 31, 32, 63, 64, 65, 127, 128, 129, 224, 255, 1 << 16, (1 << 31) - 1, (1 << 32) - 1)

Chunks = list[tuple[bytes, bytes]]
Leaf = Callable[[bytes], bytes]
"""Changes some bytes: that of a fuzzer, or :func:`random_leaf`."""


def split(data: bytes) -> Chunks:
    """The chunks of a file. Raises ``ValueError`` if it has no such structure."""
    if data[:8] != MAGIC:
        raise ValueError
    at, chunks = 8, []
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def join(chunks: Chunks) -> bytes:
    """A file of ``chunks`` with the checksums that belong to it."""
    out = bytearray(MAGIC)
    for kind, payload in chunks:
        framed = struct.pack("<4sI", kind, len(payload)) + payload
        out += framed + struct.pack("<I", zlib.crc32(framed))
    return bytes(out)


def adopt(data: bytes) -> bytes:
    """``data`` with the shipped model named in its header, so that a corpus outlives the weights it was made with."""
    try:
        chunks = split(data)
        kind, head = chunks[0]
        fields = HEAD.unpack(head)
    except (ValueError, LookupError, struct.error):
        return data
    chunks[0] = kind, HEAD.pack(*fields[:-1], bytes.fromhex(weights.DEFAULT))
    return data[:8] + join(chunks[:1])[8:] + data[8 + 12 + HEAD.size :]


def random_leaf(source: random.Random) -> Leaf:
    """Changes as fuzzers make them, without one."""

    def leaf(data: bytes) -> bytes:
        out = bytearray(data)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(out) + 1)
            match source.randrange(5):
                case 0 if at < len(out):
                    out[at] ^= 1 << source.randrange(8)
                case 1 if at < len(out):
                    out[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 2:
                    out[at:at] = source.randbytes(source.randint(1, 8))
                case 3:
                    del out[at : at + source.randint(1, 8)]
                case _:
                    out[at:at] = out[at : at + source.randint(1, 16)]
        return bytes(out)

    return leaf


def mutate(data: bytes, leaf: Leaf, source: random.Random) -> bytes:
    """One change: to the bare bytes, or to the structure with all checksums mended."""
    try:
        chunks = split(data)
        if not chunks or source.random() < 0.2:
            return leaf(data)
        change = source.choice((_tiles, _tiles, _symbols, _head, _head, _payload, _order, _length))
        return change(chunks, leaf, source)
    except (ValueError, LookupError, struct.error):
        return leaf(data)


def _payload(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    at = source.randrange(len(chunks))
    chunks[at] = chunks[at][0], leaf(chunks[at][1])
    return join(chunks)


def _order(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    at = source.randrange(len(chunks))
    match source.randrange(4):
        case 0:
            chunks.insert(at, source.choice(chunks))
        case 1:
            chunks.insert(at, (source.choice(KINDS), leaf(b"key\0value")))
        case 2:
            del chunks[at]
        case _:
            chunks[at] = source.choice(KINDS), chunks[at][1]
    return join(chunks)


def _length(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    """A chunk that lies about its length; its checksum agrees with the lie."""
    at = source.randrange(len(chunks))
    kind, payload = chunks[at]
    lie = source.choice((*INTERESTING, len(payload) + 1, max(0, len(payload) - 1)))
    framed = struct.pack("<4sI", kind, lie) + payload
    return join(chunks[:at]) + framed + struct.pack("<I", zlib.crc32(framed)) + join(chunks[at + 1 :])[8:]


def _head(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    """Another header, with as many tiles as it implies: those of the file, over and over."""
    fields = list(HEAD.unpack(chunks[0][1]))
    for _ in range(source.randint(1, 2)):
        at = source.choice((1, 2, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9))
        near = fields[at] + source.randint(-3, 3)
        limit = {6: 0xFFFF, 8: 0xFFFFFFFF, 9: 0xFFFFFFFF}.get(at, 0xFF)
        fields[at] = min(max(source.choice((*INTERESTING, near, near)), 0), limit)
    tiles = split_tiles(chunks)
    chunks[0] = b"HEAD", HEAD.pack(*fields)
    tile, margin, most = fields[6], fields[7], 64
    width, height = (min(side, most * tile) for side in fields[8:10])  # no more tiles than these are made
    if tile and width and height:
        count = min(len(TileGrid(width, height, tile, margin)), most)
        tiles = (tiles * (count // max(len(tiles), 1) + 1))[:count]
    return join_tiles(chunks, tiles)


def _tiles(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    """Another tile whose checksum is right."""
    tiles = split_tiles(chunks)
    at = source.randrange(len(tiles))
    colour, alpha = tiles[at]
    if alpha and source.random() < 0.5:
        tiles[at] = colour, leaf(alpha)
    else:
        tiles[at] = leaf(colour), alpha
    return join_tiles(chunks, tiles)


def _symbols(chunks: Chunks, leaf: Leaf, source: random.Random) -> bytes:
    """A tile that is coded as it should be, with numbers that no encoder would choose."""
    _, _, _, _, _, _, tile, margin, width, height, model = HEAD.unpack(chunks[0][1])
    if not 1 <= tile <= 128 or margin > tile:
        raise ValueError
    grid, tiles, entropy = TileGrid(width, height, tile, margin), split_tiles(chunks), _entropy(model.hex())
    at = source.randrange(min(len(tiles), len(grid)))
    shape = grid[at].coded_shape
    level = tiles[at][0][0]
    if level > 224:
        raise ValueError
    z, indices, symbols = entropy.decode_symbols(tiles[at][0][1:], shape, level)
    which = source.randrange(3)
    if which == 0:  # all indices follow from these
        z = np.where(entropy.hyper_indices(*shape) > 0, source.choice((-127, -1, 0, 1, 127)), 0).astype(np.int32)
        indices = entropy.scale_decoder(z, level)
        symbols = np.where(indices > 0, symbols, 0)
    extreme = source.choice((-(1 << 31), -(1 << 24), -300, 300, 1 << 24, (1 << 31) - 1))
    coded = np.flatnonzero(indices)
    if len(coded):
        symbols.ravel()[coded[:: source.choice((1, 2, 50, 1000))]] = extreme
    encoder = SymbolEncoder(entropy.tables)
    encoder.add(z, entropy.hyper_indices(*shape))
    encoder.add(symbols, indices)
    tiles[at] = bytes([level]) + encoder.finish(), tiles[at][1]
    return join_tiles(chunks, tiles)


@lru_cache
def _entropy(model: str) -> EntropyModel:
    return EntropyModel(weights.model_folder(model))


def split_tiles(chunks: Chunks) -> list[tuple[bytes, bytes]]:
    """(colour, alpha) of every tile."""
    found = dict(chunks)
    fields = 3 if found[b"HEAD"][2] & 1 else 2
    at, tiles = 0, []
    for entry in struct.iter_unpack(f"<{fields}I", found[b"INDX"]):
        colour, alpha = entry[0], entry[1] if fields == 3 else 0
        tiles.append((found[b"DATA"][at : at + colour], found[b"DATA"][at + colour : at + colour + alpha]))
        at += colour + alpha
    return tiles


def join_tiles(chunks: Chunks, tiles: list[tuple[bytes, bytes]]) -> bytes:
    """The file with ``tiles`` for its own, index and checksums made for them."""
    index, data = bytearray(), bytearray()
    for colour, alpha in tiles:
        sizes = (len(colour), len(alpha)) if chunks[0][1][2] & 1 else (len(colour),)
        alpha = alpha if len(sizes) == 2 else b""
        index += struct.pack(f"<{len(sizes)}I", *sizes) + struct.pack("<I", zlib.crc32(colour + alpha))
        data += colour + alpha
    rest = [chunk for chunk in chunks if chunk[0] not in (b"INDX", b"DATA")]
    return join([*rest, (b"INDX", bytes(index)), (b"DATA", bytes(data))])
