"""One round of fuzzing: ``python -m tests.reliability.fuzz_target FOLDER SECONDS SEED``, started by fuzz.py."""

from __future__ import annotations

import collections
import json
import os
import random
import sys
import time

import atheris

MAX_LENGTH = 4096
SECONDS = 5  # of processor time for one input

os.environ["PICO_BACKEND"] = "onnxruntime"  # it starts fastest, and no choice of backend changes what is accepted

with atheris.instrument_imports(include=["pico_plugins", "pillow_plugin"]):
    import pico_plugins.decoder
    import pico_plugins.lazy_image
    import pico_plugins.tiles.lossless  # noqa: F401
    import pillow_plugin  # noqa: F401
    from tests.reliability import mutation, oracle


def fuzz(folder: str, seconds: str, seed: str) -> None:
    """From what is in ``folder``, and collecting there what reaches new code. Ends the process."""
    outcomes: collections.Counter[str] = collections.Counter()
    files_open = 0

    def one(data: bytes) -> None:
        nonlocal files_open
        start = time.process_time()
        outcomes[oracle.examine(data)] += 1
        assert time.process_time() - start < SECONDS, "takes too long"
        if outcomes.total() == 100:
            files_open = oracle.open_files()
        elif outcomes.total() % 500 == 0:
            assert oracle.open_files() <= files_open, "files are left open"
            print(f"outcomes: {json.dumps(outcomes)}", file=sys.stderr, flush=True)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        def leaf(part: bytes) -> bytes:
            return atheris.Mutate(part, max(len(part) + 16, 16))

        return mutation.mutate(data, leaf, random.Random(seed))[:max_size]

    settings = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": MAX_LENGTH,
        "timeout": 120,  # a hang; other work on the machine takes time too
        "rss_limit_mb": 2048,
        "print_final_stats": 1,
    }
    arguments = [sys.argv[0], folder, *(f"-{name}={value}" for name, value in settings.items())]
    atheris.Setup(arguments, one, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz(*sys.argv[1:])
