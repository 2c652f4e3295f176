"""The golden files with the oldest and the newest NumPy: ``python -m tests.reliability.numpy_versions``.

Each in a virtual environment made for it, with this Python: symbols, coded bytes, and pixels within one level.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]


def oldest() -> str:
    """The lowest version that pyproject.toml allows."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return next(line.partition(">=")[2] for line in dependencies if line.startswith("numpy>="))


def check(requirement: str, folder: Path) -> bool:
    """Whether everything is equal with that NumPy."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    needed = ["pillow", "onnxruntime", "safetensors", "threadpoolctl", "click", "constriction", "pytest"]
    subprocess.run([python, "-m", "pip", "install", "-q", requirement, *needed], check=True)
    tests = (["-m", "tests.reliability.elsewhere"], ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/golden"])
    return not any(subprocess.run([python, *test], cwd=ROOT, check=False).returncode for test in tests)


@click.command(help=__doc__)
def main() -> None:
    """See the module."""
    wrong = []
    for requirement in (f"numpy=={oldest()}.0", "numpy"):
        with tempfile.TemporaryDirectory(prefix="pico-numpy-") as folder:
            print(f"== {requirement}", flush=True)
            if not check(requirement, Path(folder)):
                wrong.append(requirement)
    sys.exit(f"different with {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
