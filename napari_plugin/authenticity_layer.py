"""Layers > Visualize > "PICO: what is synthesised?": the authenticity map of the selected layer's file, as a layer."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
from napari.layers import Image, Layer
from napari.qt.threading import thread_worker

from pico_plugins.authenticity import authenticity_map
from pico_plugins.errors import PicoError
from pico_plugins.format.header import Header
from pico_plugins.format.reader import read_header

from .placement import placement


def show_authenticity(viewer: napari.Viewer) -> None:
    """Compute the map on a thread and add it above the selected layer, which must come from a .pico file."""
    layer = viewer.layers.selection.active
    header = _header_of(layer)
    if header is None:
        napari.utils.notifications.show_warning("Select an image layer that was opened from a .pico file first.")
        return

    def add(chance: np.ndarray) -> None:
        if layer in viewer.layers:
            _add(viewer, layer, header, chance)

    @thread_worker(connect={"returned": add})
    def compute() -> np.ndarray:
        return authenticity_map(layer.source.path)

    compute()


def _header_of(layer: Layer | None) -> Header | None:
    """The header of the file that the layer shows, or None if it is not the picture of a single .pico file."""
    if not isinstance(layer, Image) or not layer.source.path:
        return None
    try:
        header = read_header(layer.source.path)
    except (OSError, PicoError):
        return None
    shown = layer.data[0] if layer.multiscale else layer.data  # a stack's layer has the path of its first file
    return header if tuple(shown.shape) == header.shape else None


def _add(viewer: napari.Viewer, layer: Image, header: Header, chance: np.ndarray) -> None:
    name = f"{Path(layer.source.path).stem}: synthesised"
    options = {"colormap": "inferno", "contrast_limits": (0, 1), "blending": "additive", "opacity": 0.7}
    viewer.add_image(chance, name=name, **placement(layer), **options)
    if not chance.any():
        why = "it is a strict file" if header.strict else "nothing is synthesised in it"
        napari.utils.notifications.show_info(f"The map is empty: {why}.")
