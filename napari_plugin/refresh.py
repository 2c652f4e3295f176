"""Draws the layers of an image anew, from any thread."""

from __future__ import annotations

from pico_plugins.lazy_image import LazyImage


def refresh_layers(image: LazyImage) -> None:
    """Ask the windows, if there are any, to draw the layers that show ``image``."""
    try:
        from qtpy.QtCore import QCoreApplication
        from superqt.utils import ensure_main_thread
    except ImportError:  # napari's model without a window
        return
    if QCoreApplication.instance() is not None:
        ensure_main_thread(_refresh)(image)


def _refresh(image: LazyImage) -> None:
    from napari import Viewer

    for viewer in Viewer._instances:  # in public, napari names its current window only
        for layer in viewer.layers:
            if getattr(layer, "multiscale", False) and getattr(layer.data[0], "image", None) is image:
                layer.refresh(extent=False)
