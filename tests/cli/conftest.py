"""Runs the command, in this process or in one of its own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pico_plugins.cli import main


def pico(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)


def pico_process(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    """The same, with real standard streams."""
    command = [sys.executable, "-m", "pico_plugins", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)


@pytest.fixture
def pictures(tmp_path, patch):
    exif = Image.Exif()
    exif[0x010E] = "a cup"
    Image.fromarray(patch).save(tmp_path / "one.jpg", quality=95, exif=exif)
    Image.fromarray(np.ascontiguousarray(patch[:, ::-1])).save(tmp_path / "two.png")
    return tmp_path
