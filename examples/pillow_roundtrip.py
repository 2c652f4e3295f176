"""Save a photo as .pico with Pillow, open it again, and make a thumbnail.

python examples/pillow_roundtrip.py [PHOTO] [FOLDER]
"""

import sys
from pathlib import Path

from PIL import Image

import pico_plugins
import pillow_plugin  # noqa: F401  (registers .pico)

DEMO = Path(pico_plugins.__file__).parent / "demo" / "coffee.png"

source = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
target = folder / f"{source.stem}.pico"

photo = Image.open(source)
photo.save(target, quality=60)  # with its Exif, XMP, ICC profile and resolution

again = Image.open(target)  # reads the header only
print(f"{target}: {again.size}, {target.stat().st_size:,} bytes, {again.info['pico']}")
again.thumbnail((200, 200))  # decodes
again.save(folder / f"{source.stem}-thumbnail.png")
