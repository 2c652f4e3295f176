"""What the training loop asks of a recipe: what a run trains for.

Nothing in a step may wait for the device: no ``.item()``, and no Python that depends on what the device has computed.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..network import PicoModel


class Recipe(Protocol):
    """:class:`~pico_plugins.training.loss.Faithful` or :class:`~pico_plugins.training.perceptual.Perceptual`."""

    windows: int
    """How many windows, of the side that was asked for, a crop is coded in: 1, or 2 neighbours."""

    def begin(self, model: PicoModel) -> None:
        """Before ``model`` learns anything, and on every resume: parts that the recipe is there to train."""

    def groups(self, model: PicoModel) -> list[dict]:
        """All of the model's parameters as an optimizer takes them; "pace" multiplies a group's learning rate."""

    def loss(self, model: PicoModel, crops: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (scalar) of ``model`` on ``crops`` (B, C, H, W) in [0, 1] at ``level`` (B,), and its parts by name."""

    def prepare(self) -> object:
        """Before each step. Steps with equal answers run the same operations: one CUDA graph serves them all."""

    def learn(self) -> None:
        """After the model's step: what the recipe itself learns from the last loss."""

    def state_dict(self) -> dict:
        """What it has learned, for a resume."""

    def load_state_dict(self, state: dict) -> None:
        """Take up a :meth:`state_dict`."""
