"""Open a .pico file in napari, and optionally save a picture of the window.

python examples/napari_view.py [PICO FILE] [SCREENSHOT.png]

Needs napari and a Qt binding: pip install 'pico-plugins[napari]' pyqt6
"""

import sys
import tempfile
from pathlib import Path

import napari
import numpy as np
from PIL import Image

import pico_plugins

if len(sys.argv) > 1:
    path = Path(sys.argv[1])
else:  # 54 megapixels of coffee: opened without decoding them
    with Image.open(Path(pico_plugins.__file__).parent / "demo" / "coffee.png") as photo:
        pixels = np.tile(np.asarray(photo), (15, 15, 1))
    path = Path(tempfile.mkdtemp()) / "coffee.pico"
    pico_plugins.encode_file(path, pixels, 40)

viewer = napari.Viewer()
viewer.open(path, plugin="pico-plugins")
if len(sys.argv) > 2:
    viewer.screenshot(sys.argv[2], canvas_only=False)
    viewer.close()
else:
    napari.run()
