"""What phase 2 weighs: one table for each objective, by term and quality level."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .loss import level_lambda

BALANCED_AT = 3.0
"""Level at which the weights of the tables below hold."""


class Term(NamedTuple):
    """``weight`` of a term beside 255^2 MSE at level 3; at others it is multiplied by (lambda_3 / lambda)^``fall``.

    Squared errors fall as lambda rises, and so pull about equally at all levels with ``fall`` 0. Other terms pull
    equally with 1/2.
    """

    weight: float
    fall: float = 0.0


Objective = dict[str, Term]

EYE: Objective = {
    "squared": Term(0.15),
    "wd": Term(26.0, 0.5),
    "lpips-vgg": Term(120.0, 0.5),
    "lpips-alex": Term(150.0, 0.5),
    "pattern": Term(2.5),
    "colour": Term(0.3),
    "tiling": Term(1250.0, 0.5),
    "text": Term(1000.0, 0.5),
}
"""For files tuned for the eye: all that counts is the decoding at realism 1."""

BOTH: Objective = {
    "faithful": Term(0.75),
    "squared": Term(0.0125),
    "structure": Term(0.0125),
    "lite0": Term(45.0, 0.5),
    "lpips-alex": Term(95.0, 0.5),
    "pattern": Term(2.5),
    "tiling": Term(1250.0, 0.5),
    "text": Term(1000.0, 0.5),
    "adversary": Term(15.0, 0.5),
}
"""For one encoder that serves both decodings: most of the weight is phase 1's distortion of the faithful one."""

OBJECTIVES = {"eye": EYE, "both": BOTH}

TERMS = (
    "faithful",  # phase 1's distortion, of the decoding at realism 0. All others are of that at realism 1:
    "squared",  # 255^2 MSE
    "structure",  # 1300 (1 - MS-SSIM)
    "wd",  # Wasserstein distortion, on VGG16
    "lpips-vgg",
    "lpips-alex",
    "lite0",  # distance of EfficientNet-Lite0's features
    "pattern",  # what realism adds to all places alike
    "colour",  # what realism adds that is no brightness
    "tiling",  # error of the means of squares, which makes seams
    "text",  # error where text is
    "adversary",
)
"""All terms that an objective can have."""


def with_weights(objective: Objective, changes: tuple[str, ...]) -> Objective:
    """``objective`` with ``changes`` such as "wd=30", "adversary=15:0.5" or "text=0".

    Raises ``ValueError`` for what is no change of a term.
    """
    changed = dict(objective)
    for change in changes:
        name, _, value = change.partition("=")
        weight, _, fall = value.partition(":")
        try:
            if name not in TERMS:
                raise ValueError
            changed[name] = Term(float(weight), float(fall) if fall else changed.get(name, Term(0.0, 0.5)).fall)
        except ValueError:
            msg = f"{change!r} is no weight: expected TERM=WEIGHT or TERM=WEIGHT:FALL, TERM one of {', '.join(TERMS)}"
            raise ValueError(msg) from None
    return changed


def weight_at(term: Term, level: Tensor, levels: int) -> Tensor:
    """Weight (B,) of ``term`` at ``level`` (B,)."""
    balanced = level_lambda(torch.full_like(level, BALANCED_AT), levels)
    return term.weight * (balanced / level_lambda(level, levels)) ** term.fall
