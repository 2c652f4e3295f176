"""Coverage-guided fuzzing with Atheris: ``python -m tests.reliability.fuzz --seconds 120``.

Needs ``pip install atheris``. Starts from the corpus in the repository, and from small files made here. Ends with exit
status 0 and libFuzzer's count of executions, or at the first input that leads to anything but an image or a documented
error, to more than 5 seconds or more than 2 GB; the input is then left in the working directory.
"""

from __future__ import annotations

import argparse
import collections
import io
import os
import random
import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"
MAX_LENGTH = 4096

os.environ["PICO_BACKEND"] = "onnxruntime"  # it starts fastest, and no choice of backend changes what is accepted

with atheris.instrument_imports(include=["pico_plugins", "pillow_plugin"]):
    import pico_plugins.alpha
    import pico_plugins.decoder
    import pico_plugins.lazy_image
    import pillow_plugin  # noqa: F401
    from tests.reliability import mutation, oracle


def seeds() -> dict[str, bytes]:
    """Small files of every kind, made with the shipped weights."""
    import numpy as np
    from PIL import Image

    from tests.conftest import PHOTO

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
    }
    return {name: pico_plugins.encode(np.ascontiguousarray(a), **options) for name, (a, options) in images.items()}


def main() -> None:
    """Set the fuzzer up and hand over to it; it ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, help="folder that collects what reached new code, to go on from")
    options, rest = parser.parse_known_args()

    found = options.found or Path(tempfile.mkdtemp(prefix="pico-fuzz-"))
    found.mkdir(exist_ok=True)
    for name, data in seeds().items():
        (found / name).write_bytes(data)
    for path in CORPUS.glob("*"):
        (found / path.name).write_bytes(mutation.adopt(path.read_bytes()))

    outcomes: collections.Counter[str] = collections.Counter()
    files_open = 0

    def one(data: bytes) -> None:
        nonlocal files_open
        outcomes[oracle.examine(data)] += 1
        if outcomes.total() == 100:
            files_open = oracle.open_files()
        elif outcomes.total() % 1000 == 0:
            assert oracle.open_files() <= files_open, "files are left open"
            print(f"outcomes: {dict(outcomes)}", file=sys.stderr, flush=True)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        def leaf(part: bytes) -> bytes:
            return atheris.Mutate(part, max(len(part) + 16, 16))

        return mutation.mutate(data, leaf, random.Random(seed))[:max_size]

    arguments = [
        sys.argv[0],
        str(found),
        f"-max_total_time={options.seconds}",
        f"-max_len={MAX_LENGTH}",
        f"-seed={options.seed}",
        "-timeout=5",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        *rest,
    ]
    atheris.Setup(arguments, one, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
