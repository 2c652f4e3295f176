"""Texture must not be a pattern.

A decoder that makes 16 x 16 pixels of each latent can add the same few pixels everywhere. Networks that compare
features take that for grain and reward it, at all places and rates alike; a person sees a grid once the picture is
enlarged. What all squares have in common is their mean.
"""

from __future__ import annotations

from torch import Tensor

PERIOD = 16
"""Pixels that one latent stands for."""


def repeated(added: Tensor) -> Tensor:
    """The (B, C, 16, 16) pixels that all squares of ``added`` (B, C, H, W) have in common, but for their mean.

    H and W are multiples of 16.
    """
    batch, channels, height, width = added.shape
    squares = added.reshape(batch, channels, height // PERIOD, PERIOD, width // PERIOD, PERIOD)
    common = squares.mean((2, 4))
    return common - common.mean((2, 3), keepdim=True)


def pattern_loss(added: Tensor) -> Tensor:
    """(B,): mean square of what :func:`repeated` finds, in levels of 255; ``added`` is in 1. Of grain, next to none."""
    return 255**2 * repeated(added).square().mean((1, 2, 3))
