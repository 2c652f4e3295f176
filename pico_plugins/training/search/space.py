"""The declared space of configurations."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from ...network.config import ModelConfig, Stage


@dataclass(frozen=True)
class StageSpace:
    """What may vary at one resolution."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    kernel: tuple[int, ...]
    e: tuple[int, ...]
    f: tuple[int, ...]
    depthwise: tuple[bool, ...] = (True, False)

    def size(self) -> int:
        """Number of stages it declares."""
        return math.prod(len(choices) for choices in vars(self).values())

    def draw(self, source: random.Random) -> Stage:
        """One of them, uniformly."""
        return Stage(**{name: source.choice(choices) for name, choices in vars(self).items()})


QUARTER = StageSpace(channels=(32, 48, 64, 80), blocks=(0, 1, 2, 3), kernel=(3, 5), e=(1, 2), f=(1, 2, 3))
EIGHTH = StageSpace(channels=(96, 128, 160, 192), blocks=(1, 2, 3, 4), kernel=(3, 5, 7), e=(1, 2), f=(1, 2, 3, 4))
SIXTEENTH = StageSpace(channels=(256, 320, 384), blocks=(1, 2, 3, 4, 5), kernel=(3, 5, 7), e=(1,), f=(1, 2, 3))
LATENTS = (256, 320)


def size() -> int:
    """Number of configurations: decoders times encoders times latent widths."""
    side = QUARTER.size() * EIGHTH.size() * SIXTEENTH.size()
    return side * side * len(LATENTS)


def draw(source: random.Random) -> ModelConfig:
    """One configuration. A 1/16 stage narrower than the latents would cap the quality, so that is drawn again."""
    latents = source.choice(LATENTS)
    sides = []
    for _ in range(2):
        quarter, eighth, sixteenth = (space.draw(source) for space in (QUARTER, EIGHTH, SIXTEENTH))
        while sixteenth.channels < latents:
            sixteenth = SIXTEENTH.draw(source)
        sides.append((quarter, eighth, sixteenth))
    return ModelConfig(encoder=sides[0], decoder=sides[1], latents=latents)
