"""Where a layer lies in the world, and in which units: what another layer of the same pixels has to share."""

from __future__ import annotations

from napari.layers import Layer

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def placement(layer: Layer) -> dict[str, object]:
    """The arguments that put a new layer where ``layer`` is."""
    return {name: getattr(layer, name) for name in PLACE}
