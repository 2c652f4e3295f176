"""Small files that ask for much, opened in processes of little memory: ``python -m tests.reliability.bombs``.

Each runs in a process of its own, in which a small file has been decoded first and which may then take MARGIN bytes of
address space more (RLIMIT_AS). Prints size, outcome, time and growth of memory, and fails where a bound is broken.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np

import pico_plugins
from pico_plugins import weights
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.entropy.symbol_coder import SymbolEncoder
from pico_plugins.format.header import Header
from pico_plugins.tiles.lossless import encode_lossless
from tests.reliability.mutation import Chunks, join, join_tiles

MARGIN = 512 << 20
MEGABYTE = 1 << 20
BACKEND = "onnxruntime"
EMPTY = b"\0\0"
"""A tile at the lowest level all of whose symbols are 0."""


def _header(width: int, height: int, tile: int = 1024, margin: int = 0, alpha: bool = False) -> Header:
    return Header(width, height, 3, alpha, 0, 0.0, tile, margin, bytes.fromhex(weights.DEFAULT))


def _without_pixels(header: Header, *metadata: tuple[bytes, bytes]) -> bytes:
    """Header and an index of the right length whose tiles are all empty."""
    index = bytes((12 if header.alpha else 8) * len(header.grid))
    return join([(b"HEAD", header.pack()), *metadata, (b"INDX", index), (b"DATA", b"")])


def _with_tiles(header: Header, tile: tuple[bytes, bytes]) -> bytes:
    return join_tiles([(b"HEAD", header.pack())], [tile] * len(header.grid))


def over_the_limit() -> bytes:
    """3.6 gigapixels: more than the core's own limit of 2^29."""
    return _without_pixels(_header(60_000, 60_000))


def at_the_limit() -> bytes:
    """As large as allowed, 2^29 pixels, in five kilobytes without a pixel: 1.6 GB if it were believed."""
    return _without_pixels(_header(1 << 15, 1 << 14))


def large_image() -> bytes:
    """As large as allowed, 2^29 pixels, in five kilobytes, and whole: there is not enough memory here to show it."""
    return _with_tiles(_header(1 << 15, 1 << 14), (EMPTY, b""))


def many_tiles() -> bytes:
    """As large as allowed in the smallest tiles: half a million index entries."""
    return _without_pixels(_header(1 << 15, 1 << 14, tile=32))


def thin() -> bytes:
    """One column of 2^22 pixels in the smallest tiles: each is 64 x 64 pixels of work for 32 of image."""
    return _with_tiles(_header(1, 1 << 22, tile=32), (EMPTY, b""))


def promised_index() -> bytes:
    """An index that is announced and does not come."""
    return _without_pixels(_header(1 << 15, 1 << 14, tile=32))[: 8 + 37 + 8]


def promised_metadata() -> bytes:
    """Four gigabytes of Exif, announced."""
    return join([(b"HEAD", _header(9, 9).pack())]) + struct.pack("<4sI", b"exif", 0xFFFFFFFF)


def much_metadata() -> bytes:
    """An XMP packet as large as all metadata together may be."""
    return _without_pixels(_header(9, 9), (b"xmpp", bytes((32 << 20) - 12)))


def many_texts() -> bytes:
    """Two million texts of a few bytes."""
    texts: Chunks = [(b"text", b"%x\0" % number) for number in range((32 << 20) // 19)]
    return _without_pixels(_header(9, 9), *texts)


def long_number() -> bytes:
    """A tile that announces 4 GB of escapes."""
    return _with_tiles(_header(64, 64), (b"\0\xff\xff\xff\xff\x0f", b""))


def all_escapes() -> bytes:
    """A tile of 1024 x 1024 pixels that is whole, and all of whose numbers are the longest escapes."""
    model = EntropyModel(weights.model_folder(weights.DEFAULT))
    hyper = model.hyper_indices(1024, 1024)
    z = np.where(hyper > 0, 127, 0).astype(np.int32)
    indices = model.scale_decoder(z, 0)
    encoder = SymbolEncoder(model.tables)
    encoder.add(z, hyper)
    encoder.add(np.where(indices > 0, -(1 << 31), 0).astype(np.int32), indices)
    return _with_tiles(_header(1024, 1024), (b"\0" + encoder.finish(), b""))


def two_byte_tiles() -> bytes:
    """16 megapixels in 16 tiles of two bytes each, all whole: a picture, for as much work as any of that size."""
    return _with_tiles(_header(4096, 4096), (EMPTY, b""))


def wide_margins() -> bytes:
    """4 megapixels in tiles whose windows overlap as much as allowed and are just over a multiple of 64."""
    return _with_tiles(_header(2048, 2048, tile=44, margin=11), (EMPTY, b""))


def _large_webp() -> bytes:
    """A lossless WebP of 16383 x 16383 pixels, by its header."""
    webp = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<I", 18)
    webp += b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(14)
    return webp


def large_alpha() -> bytes:
    """Such a one for the alpha of a tile of 64 x 64."""
    return _with_tiles(_header(64, 64, alpha=True), (EMPTY, _large_webp()))


def large_lossless() -> bytes:
    """And for the colour of one."""
    return _with_tiles(_header(64, 64), (b"\xff" + _large_webp(), b""))


def lossless_tiles() -> bytes:
    """16 megapixels of one colour in the largest tiles, without loss: some tens of bytes each."""
    white = encode_lossless(np.full((1024, 1024, 3), 255, np.uint8))
    return _with_tiles(_header(4096, 4096, margin=0), (b"\xff" + white, b""))


@dataclasses.dataclass(frozen=True)
class Bound:
    """What one file may cost: seconds of processor time, megabytes of memory, and how it must end."""

    make: Callable[[], bytes]
    outcome: str
    seconds: float = 2
    megabytes: float = 64
    max_pixels: int | None = None


# Seconds are for a slow, busy machine: some five times what is measured. Each megapixel of work may take a second.
BOUNDS = {
    bound.make.__name__: bound
    for bound in (
        Bound(over_the_limit, "LimitError"),
        Bound(at_the_limit, "DamagedError"),
        Bound(large_image, "MemoryError"),
        Bound(many_tiles, "DamagedError"),
        Bound(thin, "LimitError", max_pixels=1 << 22),  # as the Pillow plugin does
        Bound(promised_index, "TruncatedError"),
        Bound(promised_metadata, "LimitError"),
        Bound(much_metadata, "DamagedError", megabytes=3 * 32 + 16),
        Bound(many_texts, "LimitError"),
        Bound(long_number, "DamagedError"),
        Bound(all_escapes, "image", seconds=20, megabytes=400),
        Bound(two_byte_tiles, "image", seconds=60, megabytes=400),
        Bound(wide_margins, "image", seconds=60, megabytes=100),
        Bound(large_alpha, "DamagedError"),
        Bound(large_lossless, "DamagedError"),
        Bound(lossless_tiles, "image", seconds=5, megabytes=100),
    )
}


def open_here(name: str) -> dict[str, object]:
    """Make the file, limit this process, open it."""
    data = BOUNDS[name].make()
    file = BytesIO()
    pico_plugins.encode_file(file, np.arange(64 * 64 * 4, dtype=np.uint16).astype(np.uint8).reshape(64, 64, 4))
    pico_plugins.decode(file.getvalue(), threads=1, backend=BACKEND)
    del file
    with open("/proc/self/statm") as pages:
        size = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MARGIN, size + MARGIN))
    # What has been held before must not hide what is held now: the peak is read from a fresh mark.
    with open("/proc/self/clear_refs", "w") as marks:
        marks.write("5")
    before, start = _peak(), time.process_time()
    try:
        pico_plugins.decode(data, max_pixels=BOUNDS[name].max_pixels, threads=1, backend=BACKEND)
        outcome = "image"
    except (pico_plugins.PicoError, MemoryError) as error:
        outcome = type(error).__name__
    seconds = time.process_time() - start
    return {"bytes": len(data), "outcome": outcome, "seconds": seconds, "megabytes": (_peak() - before) / MEGABYTE}


def _peak() -> int:
    """The most memory held since the mark was set, in bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def measure(name: str) -> dict[str, object]:
    """Open bomb ``name`` in a process of its own. Raises ``CalledProcessError`` if that dies."""
    command = [sys.executable, "-m", "tests.reliability.bombs", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def within(name: str, found: dict[str, object]) -> bool:
    """Whether the bounds hold."""
    bound = BOUNDS[name]
    return (
        found["outcome"] == bound.outcome
        and found["seconds"] <= bound.seconds
        and found["megabytes"] <= bound.megabytes
    )


def main() -> None:
    """A table of all, or what one of them does in this process."""
    if len(sys.argv) > 1:
        print(json.dumps(open_here(sys.argv[1])))
        return
    print(f"{'file':20}{'bytes':>12}  {'outcome':16}{'seconds':>8}{'MB':>7}")
    wrong = False
    for name in BOUNDS:
        found = measure(name)
        fine = within(name, found)
        wrong |= not fine
        row = f"{name:20}{found['bytes']:12,}  {found['outcome']:16}{found['seconds']:8.2f}{found['megabytes']:7.0f}"
        print(row + ("" if fine else "  TOO MUCH"), flush=True)
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
