"""The layer that the widget shows its result in."""

from __future__ import annotations

import numpy as np
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image

from pico_plugins.format.reader import read_header

from ..placement import PLACE, placement
from ..writer import PICO_FILE
from .coding import Result

NAME = "PICO"
LOOKS = ("contrast_limits", "colormap", "gamma", "interpolation2d")


class ResultLayer(Image):
    """Lies where the original lies, and is shown as the original is: what differs between them is the codec's doing.

    ``data`` is what the present view shows. Whatever saves or copies the layer gets the compressed picture instead.
    """

    def __init__(self, view: np.ndarray, original: Image) -> None:
        super().__init__(view, name=NAME, rgb=view.ndim == 3, **placement(original))
        self.original = original
        self.compressed: Result | None = None
        """The whole image after the codec, as soon as it is known."""
        link_layers([original, self], PLACE)
        self._share_looks()

    def show(self, view: np.ndarray, *, plain: bool = False) -> None:
        """Show ``view``, as the original is shown or, if ``plain``, as the values are: 128 is gray."""
        if plain:
            unlink_layers([self.original, self], LOOKS)
            self.contrast_limits, self.colormap, self.gamma, self.interpolation2d = (0, 255), "gray", 1, "nearest"
        else:
            self._share_looks()
        self.data = view

    def release(self) -> None:
        """Follow the original no more."""
        unlink_layers([self.original, self])

    def as_layer_data_tuple(self) -> tuple[np.ndarray, dict, str]:
        """The compressed picture. Raises ``RuntimeError`` while there is none."""
        if self.compressed is None:
            msg = f"the picture of the layer {self.name!r} is not complete yet: wait until all of it is compressed"
            raise RuntimeError(msg)
        _, state, kind = super().as_layer_data_tuple()
        state.update(self._looks_of_original())
        file = self.compressed.data
        state["metadata"] = {**self.metadata, **read_header(file).info(), PICO_FILE: file}
        return self.compressed.pixels, state, kind

    @property
    def _type_string(self) -> str:
        return "image"  # napari takes the name of the class for it

    def _looks_of_original(self) -> dict[str, object]:
        return {name: getattr(self.original, name) for name in LOOKS}

    def _share_looks(self) -> None:
        for name, value in self._looks_of_original().items():
            setattr(self, name, value)
        link_layers([self.original, self], LOOKS)
