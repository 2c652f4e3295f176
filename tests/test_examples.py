import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import pico_plugins

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, folder: Path, *arguments: object) -> str:
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pillow_roundtrip(tmp_path):
    assert "coffee.pico: (600, 400)" in run("pillow_roundtrip.py", tmp_path)
    with Image.open(tmp_path / "coffee-thumbnail.png") as thumbnail:
        assert thumbnail.size == (200, 133)


def test_imageio_regions(tmp_path):
    pytest.importorskip("imageio")
    out = run("imageio_regions.py", tmp_path)
    assert "coffee.pico: 600 x 400" in out
    assert "region (100, 150, 3), overview (100, 150, 3)" in out
    with Image.open(tmp_path / "coffee-overview.png") as overview:
        assert overview.size == (150, 100)


def test_convert_folder(tmp_path, photo):
    source = tmp_path / "photos"
    (source / "trip").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010E] = "a cup"
    Image.fromarray(photo).save(source / "trip" / "a.jpg", exif=exif)
    Image.fromarray(photo).save(source / "b.png")
    (source / "notes.txt").write_text("not a photo")
    assert "together" in run("convert_folder.py", tmp_path, source, "out", 50)
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")) == [
        "b.pico",
        "trip/a.pico",
    ]
    header = pico_plugins.read_header(tmp_path / "out" / "trip" / "a.pico")
    assert header.shape == (600, 400, 3)
    kept = Image.Exif()
    kept.load(header.metadata.exif)
    assert kept[0x010E] == "a cup"
    assert 0x0112 not in kept


def test_torch_dataset(tmp_path):
    pytest.importorskip("torch")
    lines = run("torch_dataset.py", tmp_path).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("(2, 3, 128, 128) mean 0.") for line in lines)


@pytest.fixture
def screen():
    pytest.importorskip("napari")
    if not os.environ.get("DISPLAY"):  # pytest-xvfb sets it
        pytest.skip("no screen")


def test_napari_compare(tmp_path, screen):
    run("napari_compare.py", tmp_path, pico_plugins.__path__[0] + "/demo/coffee.png", ".")
    for view in ("compressed", "curtain", "difference"):
        with Image.open(tmp_path / f"napari-{view}.png") as window:
            assert min(window.size) > 300


def test_napari_view(tmp_path, screen):
    run("napari_view.py", tmp_path, pico_plugins.__path__[0] + "/../tests/golden/rgb-q95.pico", "window.png")
    with Image.open(tmp_path / "window.png") as window:
        assert min(window.size) > 300
