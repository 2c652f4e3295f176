"""Open a photo in napari with "PICO: compress and compare"; with a folder, save a picture of each view there.

python examples/napari_compare.py [PHOTO] [FOLDER]

Needs napari and a Qt binding: pip install 'pico-plugins[napari]' pyqt6
"""

import sys
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtTest import QTest

import pico_plugins

DEMO = Path(pico_plugins.__file__).parent / "demo" / "coffee.png"

source = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
viewer = napari.Viewer()
viewer.window.resize(1366, 740)
with Image.open(source) as photo:
    viewer.add_image(np.asarray(photo.convert("RGB")), name=source.stem, rgb=True)
_, widget = viewer.window.add_plugin_dock_widget("pico-plugins")


def settle() -> None:
    """Wait until what the sliders ask for is on the screen."""
    QTest.qWait(300)
    while widget.cancel_button.isVisible():
        QTest.qWait(50)
    QTest.qWait(300)


if len(sys.argv) > 2:
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    widget.realism.setValue(100)
    for quality in (90, 60, 40, 10):  # fills the plot, which is of one realism
        widget.quality.setValue(quality)
        settle()
    viewer.camera.center, viewer.camera.zoom = (0, 200, 300), 2.2
    for view in ("Compressed", "Curtain", "Difference"):
        widget.view_choice.setCurrentText(view)
        settle()
        viewer.screenshot(str(folder / f"napari-{view.lower()}.png"), canvas_only=False, flash=False)
    viewer.close()
else:
    napari.run()
