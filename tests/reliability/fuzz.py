"""Coverage-guided fuzzing with Atheris: ``python -m tests.reliability.fuzz --seconds 120``.

Needs ``pip install atheris``. Starts from the corpus in the repository, and from small files made here. Ends with the
number of executions and exit status 0, or at the first input that leads to anything but an image or a documented error,
to more than 5 seconds of processor time or to more than 2 GB; that input is then left in the working directory.
"""

from __future__ import annotations

import collections
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

import pico_plugins
from tests.conftest import PHOTO
from tests.golden.make import with_text
from tests.reliability import mutation

CORPUS = Path(__file__).parent / "corpus"
ROUND = 300  # seconds


def seeds() -> dict[str, bytes]:
    """Small files of every kind, made with the shipped weights."""
    with Image.open(PHOTO) as image:
        photo = np.asarray(image)
    mask = np.add.outer(np.arange(100), np.arange(90)).astype(np.uint8)
    metadata = pico_plugins.Metadata(b"MM\0*", b"icc", b"<x/>", bytes((9, 16, 9, 1)), {"a": "b"})
    images = {
        "rgb": (photo[200:264, 200:290], {}),
        "gray": (photo[200:230, 200:240, 0], {"quality": 90}),
        "alpha": (np.dstack([photo[100:200, 100:190], mask]), {"tile": 64, "quality": 20}),
        "metadata": (photo[:9, :9], {"metadata": metadata}),
        "noise": (np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8), {"quality": 40}),
        "tiles": (photo[:120, :120], {"tile": 32, "quality": 1}),
        "strict": (with_text(photo[:64, 100:180]), {"tile": 32, "quality": 20, "fidelity": "strict"}),
    }
    return {name: pico_plugins.encode(np.ascontiguousarray(a), **options) for name, (a, options) in images.items()}


@click.command(help=__doc__)
@click.option("--seconds", default=120, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--found", type=click.Path(path_type=Path), help="Folder for what reaches new code, to go on from.")
def main(seconds: int, seed: int, found: Path | None) -> None:
    """See the module."""
    found = found or Path(tempfile.mkdtemp(prefix="pico-fuzz-"))
    found.mkdir(exist_ok=True)
    for name, data in seeds().items():
        (found / name).write_bytes(data)
    for path in CORPUS.glob("*"):
        (found / path.name).write_bytes(mutation.adopt(path.read_bytes()))

    # In rounds: Atheris keeps some 20 kB for each execution, which would reach the limit on memory before long.
    outcomes: collections.Counter[str] = collections.Counter()
    runs, end = 0, time.monotonic() + seconds
    while (left := round(end - time.monotonic())) > 0:
        command = [sys.executable, "-m", "tests.reliability.fuzz_target", str(found), str(min(left, ROUND)), str(seed)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        if done.returncode:
            sys.exit(re.sub(r"(?m)^(#\d+|INFO).*\n", "", done.stderr)[-8000:])
        runs += int(re.findall(r"Done (\d+) runs", done.stderr)[-1])
        if counts := re.findall(r"^outcomes: (.*)$", done.stderr, re.MULTILINE):
            outcomes.update(json.loads(counts[-1]))
        coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)[-1]
        print(f"{runs} executions; coverage {coverage[0]}, features {coverage[1]}, corpus {coverage[2]}", flush=True)
        seed += 1
    print(f"{runs} executions in {seconds} s, no crash; outcomes of most of them: {dict(outcomes.most_common())}")


if __name__ == "__main__":
    main()
