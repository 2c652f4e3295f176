import subprocess
import sys
from pathlib import Path

from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_pillow_roundtrip(tmp_path):
    script = EXAMPLES / "pillow_roundtrip.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "coffee.pico: (600, 400)" in done.stdout
    with Image.open(tmp_path / "coffee-thumbnail.png") as thumbnail:
        assert thumbnail.size == (200, 133)
