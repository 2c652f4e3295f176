"""Kill a process that saves over a file, again and again: ``python -m tests.reliability.saving --kills 200``.

After each kill -9, at a random moment, the file must be the old one or the new one, byte for byte, and readable.
"""

from __future__ import annotations

import collections
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

import pico_plugins

# Encoding takes most of the time of saving, and kills nothing: what is to be hit are the writing and renaming. So the
# file is large for its pixels, by its metadata, and only every now and then encoded for its own sake.
WRITER = """
import sys, numpy as np, pico_plugins
path, versions = sys.argv[1], [np.full((40, 50, 3), value, np.uint8) for value in (30, 220)]
metadata = [pico_plugins.Metadata(xmp=bytes([48 + i]) * (6 << 20)) for i in range(2)]
print("ready", flush=True)
while True:
    for pixels, extra in zip(versions, metadata):
        pico_plugins.encode_file(path, pixels, metadata=extra, threads=1, backend="onnxruntime")
"""


def versions() -> list[bytes]:
    """The two files that the writer writes in turn."""
    return [
        pico_plugins.encode(
            np.full((40, 50, 3), value, np.uint8),
            metadata=pico_plugins.Metadata(xmp=bytes([48 + number]) * (6 << 20)),
            threads=1,
            backend="onnxruntime",
        )
        for number, value in enumerate((30, 220))
    ]


def kill_while_saving(kills: int, seed: int = 0) -> collections.Counter[str]:
    """How often the old file, the new one and an unfinished temporary file were found. Raises ``AssertionError``."""
    good, source, found = versions(), random.Random(seed), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="pico-saving-") as folder:
        path = Path(folder) / "image.pico"
        path.write_bytes(good[0])
        while found["kills"] < kills:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(0.2 + source.random() * 0.3)
            before = path.read_bytes()
            writer.kill()
            writer.wait()
            writer.stdout.close()
            after = path.read_bytes()
            assert before in good, "a torn file was seen while it was being saved"
            assert after in good, "a torn file was left behind"
            pico_plugins.check_file(path)
            found["kills"] += 1
            found["old" if after == good[0] else "new"] += 1
            for scrap in Path(folder).glob(".*.tmp"):
                found["in the middle of writing"] += 1
                scrap.unlink()
    return found


@click.command(help=__doc__)
@click.option("--kills", default=200, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(kills: int, seed: int) -> None:
    """See the module."""
    print(dict(kill_while_saving(kills, seed)))


if __name__ == "__main__":
    main()
