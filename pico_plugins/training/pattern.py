"""Texture must not be a pattern.

A decoder that makes 16 x 16 pixels of each latent can add the same few pixels everywhere. Networks that compare
features take that for grain and reward it, at all places and rates alike; a person sees a grid once the picture is
enlarged. It can do so with the sign turned from square to square, too: latents of even and odd rows and columns are
coded differently, and a hyperlatent stands for 4 x 4 of them. So squares of the widest such unit are compared.
"""

from __future__ import annotations

from torch import Tensor

PERIOD = 64
"""Pixels that one hyperlatent stands for: a multiple of all steps in which the networks take a picture."""


def pattern_loss(added: Tensor) -> Tensor:
    """(B,): mean square, in levels of 255, of what all squares of ``added`` (B, C, H, W) have in common.

    H and W are multiples of 64; ``added`` is in 1, and the mean of each square does not count. It is estimated as the
    mean product of two different squares, which for grain is 0 on average; negative estimates count as 0, and so does
    a single square.
    """
    batch, channels, height, width = added.shape
    squares = added.reshape(batch, channels, height // PERIOD, PERIOD, width // PERIOD, PERIOD)
    squares = squares - squares.mean((3, 5), keepdim=True)
    count = squares.shape[2] * squares.shape[4]
    total = squares.sum((2, 4)).square().mean((1, 2, 3))
    with_themselves = squares.square().sum((2, 4)).mean((1, 2, 3))
    return 255**2 * ((total - with_themselves) / max(count * (count - 1), 1)).clamp(min=0)


def colour_loss(added: Tensor) -> Tensor:
    """(B,): mean square, in levels of 255, of what ``added`` (B, 3, H, W), in 1, has that is not common to all colours.

    Texture is light and shade; what differs between red, green and blue is specks of colour.
    """
    return 255**2 * (added - added.mean(1, keepdim=True)).square().mean((1, 2, 3))
