"""``quality`` 1 ... 100, as users know it, to the codec's level in 1/32; checks of what users ask for."""

from __future__ import annotations

import numbers

LEVEL_STEPS = 32
"""Quality levels are stored in 1/32."""

MAX_LEVEL = 7 * LEVEL_STEPS

LAMBDA_MIN, LAMBDA_MAX = 0.0003, 0.25
"""Bits a pixel that one squared level of 255 (the mean over pixels and colours) is worth at the lowest and the highest
quality level. The networks are trained for this trade."""


def error_worth(share: float) -> float:
    """Lambda, bits a pixel that a mean squared error of 1 (a level of 255) is worth, at ``share`` of the highest level.

    Logarithmic between the two ends. Training calls it with a tensor.
    """
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** share


def trained_levels(level: int, count: int) -> tuple[int, int, int]:
    """The trained levels, of ``count``, on either side of ``level`` in 1/32, and how many 1/32 it is past the first."""
    node, part = divmod(level, LEVEL_STEPS)
    return node, min(node + 1, count - 1), part


def check_quality(quality: object) -> float:
    """``quality`` as a float in [1, 100]. Raises ``ValueError`` for anything else (booleans and text included)."""
    if isinstance(quality, bool) or not isinstance(quality, numbers.Real) or not 1 <= quality <= 100:
        msg = f"quality must be a number from 1 (smallest) to 100 (best), not {quality!r}"
        raise ValueError(msg)
    return float(quality)


def check_realism(realism: object) -> float:
    """``realism`` as a float in [0, 1]. Raises ``ValueError`` for anything else (booleans and text included)."""
    if isinstance(realism, bool) or not isinstance(realism, numbers.Real) or not 0 <= realism <= 1:
        msg = f"realism must be a number from 0 (faithful) to 1 (perceptual), not {realism!r}"
        raise ValueError(msg)
    return float(realism)


FIDELITIES = ("normal", "strict")


def check_fidelity(fidelity: object) -> bool:
    """Whether ``fidelity`` is "strict". Raises ``ValueError`` for what is neither that nor "normal"."""
    if not isinstance(fidelity, str) or fidelity not in FIDELITIES:
        msg = f"fidelity must be one of {', '.join(FIDELITIES)}, not {fidelity!r}"
        raise ValueError(msg)
    return fidelity == "strict"


def level_of_quality(quality: float) -> int:
    """Level in 1/32: the share (t + t^4) / 2 of the highest, t = (quality - 1) / 99.

    Levels are even steps of log(bits). Half of them are spread evenly; the other half comes late, so that the default
    of 75 is a good picture rather than a nearly perfect one, and 100 is far above it.
    """
    return round(_share((check_quality(quality) - 1) / 99) * MAX_LEVEL)


def quality_of_level(level: int) -> float:
    """Inverse of :func:`level_of_quality`, up to its rounding."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _share(middle) * MAX_LEVEL < level else (low, middle)
    return 1 + 99 * high


def _share(t: float) -> float:
    return (t + t**4) / 2
