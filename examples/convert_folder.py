"""Convert a folder of photos to .pico, keeping its structure and metadata, and say what was saved.

python examples/convert_folder.py [FOLDER] [TARGET] [QUALITY]

(`pico encode -r` does this, too; this shows how to do it in a program.)
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

import pico_plugins
import pillow_plugin

DEMO = Path(pico_plugins.__file__).parent / "demo"

source = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("converted")
quality = float(sys.argv[3]) if len(sys.argv) > 3 else 60

before = after = 0
for path in sorted(source.rglob("*")):
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}:
        continue
    saved = (target / path.relative_to(source)).with_suffix(".pico")
    saved.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        # .pico keeps pixels as they are stored: turn them upright, which also takes the orientation out of the Exif.
        upright = ImageOps.exif_transpose(image)
        pillow_plugin.save(upright, saved, quality=quality)  # the file appears at once, metadata included
    before += path.stat().st_size
    after += saved.stat().st_size
    print(f"{path.name}: {path.stat().st_size:,} -> {saved.stat().st_size:,} bytes")
print(f"together {before:,} -> {after:,} bytes")
