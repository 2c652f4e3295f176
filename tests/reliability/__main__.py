"""Everything that docs/reliability.md claims, in one command: ``python -m tests.reliability [--full] [IMAGES...]``.

Without ``--full`` the campaigns are short ones of some ten minutes in all. With it they are those whose figures are
documented: two hours. IMAGES are files and folders that the soak cuts pieces from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
TESTS = ("reliability", "golden", "format", "entropy", "backends", "core/test_codec.py", "core/test_files.py")


def steps(full: bool, images: tuple[str, ...]) -> dict[str, list[str]]:
    """Name -> arguments of Python."""
    ours = "tests.reliability"
    found = {
        "tests": ["pytest", "-q", "-s", *(f"tests/{path}" for path in TESTS)],
        "bombs": [f"{ours}.bombs"],
        "saving": [f"{ours}.saving", "--kills", "200" if full else "20"],
        "soak": [f"{ours}.soak", "--count", "500" if full else "50", "--large", "4" if full else "0", *images],
        "fuzz": [f"{ours}.fuzz", "--seconds", "3600" if full else "120"],
        "emulation": [f"{ours}.emulation"],
    }
    if full:
        found["numpy versions"] = [f"{ours}.numpy_versions"]
    return {name: [sys.executable, "-m", *arguments] for name, arguments in found.items()}


@click.command(help=__doc__)
@click.argument("images", nargs=-1, type=click.Path(exists=True))
@click.option("--full", is_flag=True)
def main(images: tuple[str, ...], full: bool) -> None:
    """See the module."""
    results = []
    environment = os.environ | ({"PICO_RELIABILITY": "full"} if full else {})
    for name, command in steps(full, images).items():
        print(f"== {name}", flush=True)
        start = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        results.append((name, status, time.monotonic() - start))
    for name, status, seconds in results:
        print(f"{name:16}{'passed' if status == 0 else f'FAILED ({status})':14}{seconds:7.0f} s")
    sys.exit(int(any(status for _, status, _ in results)))


if __name__ == "__main__":
    main()
