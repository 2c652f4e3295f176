"""Draws the layers of an image anew, from any thread."""

from __future__ import annotations

from pico_plugins.lazy_image import LazyImage


def refresh_layers(image: LazyImage) -> None:
    """Ask the window, if there is one, to draw the layers that show ``image``."""
    try:
        from qtpy.QtCore import QCoreApplication
        from superqt.utils import ensure_main_thread
    except ImportError:  # napari's model without a window
        return
    if QCoreApplication.instance() is not None:
        ensure_main_thread(_refresh)(image)


def _refresh(image: LazyImage) -> None:
    from napari import current_viewer

    viewer = current_viewer()
    for layer in viewer.layers if viewer else ():
        if getattr(layer, "multiscale", False) and getattr(layer.data[0], "image", None) is image:
            layer.refresh(extent=False)
