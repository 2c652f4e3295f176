"""Programs that PyInstaller has frozen: with the weights, without what needs PyTorch."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pico_plugins.__pyinstaller import get_hook_dirs

ROOT = Path(__file__).parents[2]
HELLO = """
import importlib.util, io, sys
import pico_plugins, pillow_plugin
from PIL import Image

file = io.BytesIO()
Image.new("RGB", (64, 48), "red").save(file, "PICO")
image = Image.open(file)
image.load()
print(image.size, image.getpixel((9, 9)))
for options in ({"realism": 1}, {"scale": 1 / 8}):
    print(pico_plugins.decode(file.getvalue(), **options).shape)
print(pico_plugins.authenticity_map(file.getvalue()).shape)
if importlib.util.find_spec("imageio"):
    import imageio.v3 as iio
    import imageio_plugin
    assert iio.imread(file.getvalue(), plugin="PICO").shape == (48, 64, 3)
from pico_plugins.cli import main
main(["encode", sys.argv[1], "-o", sys.argv[1] + ".pico"])
"""


def test_the_entry_point_leads_to_the_hooks():
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, function = entry_points["pyinstaller40"]["hook-dirs"].split(":")
    (folder,) = getattr(importlib.import_module(module), function)()
    names = {path.name for path in Path(folder).glob("hook-*.py")}
    assert names == {"hook-pico_plugins.py", "hook-pico_plugins.cli.py", "hook-imageio_plugin.py"}


def test_a_frozen_program_codes(tmp_path):
    pytest.importorskip("PyInstaller")
    (tmp_path / "hello.py").write_text(HELLO)
    options = ["--log-level", "ERROR", "--paths", ROOT, "--additional-hooks-dir", *get_hook_dirs()]
    # ONNX Runtime and imageio would bring these, where they are installed.
    for package in ("IPython", "matplotlib", "napari", "scipy", "torch"):
        options += ["--exclude-module", package]
    command = [sys.executable, "-m", "PyInstaller", *options, "hello.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    program = tmp_path / "dist" / "hello" / "hello"
    frozen = (tmp_path / "build" / "hello" / "PYZ-00.toc").read_text()
    assert "'pico_plugins.backends.onnxruntime'" in frozen
    for needs_torch in ("backends.torch", "evaluation", "export", "network", "training"):
        assert f"'pico_plugins.{needs_torch}" not in frozen
    picture = ROOT / "pico_plugins" / "demo" / "coffee.png"
    (tmp_path / "a.png").write_bytes(picture.read_bytes())
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([program, tmp_path / "a.png"], capture_output=True, text=True, check=False, env=found)
    assert done.returncode == 0, done.stderr
    shown, perceptual, reduced, added, coded = done.stdout.splitlines()
    assert shown == "(64, 48) (255, 0, 0)"
    assert (perceptual, reduced, added) == ("(48, 64, 3)", "(6, 8, 3)", "(48, 64)")
    assert "bits per pixel" in coded
    assert (tmp_path / "a.png.pico").exists()
