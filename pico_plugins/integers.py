"""Whole numbers that callers give, as Python's own: NumPy's small ones wrap around when they are added up."""

from __future__ import annotations

import operator


def as_integer(value: object, name: str) -> int:
    """``value`` as an ``int``; ``ValueError`` that names it for what is no integer (booleans and text included)."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    msg = f"{name} must be an integer, not {value!r:.80}"
    raise ValueError(msg)


def as_box(value: object, name: str = "box") -> tuple[int, int, int, int]:
    """Four integers, as any sequence or array; ``ValueError`` for anything else."""
    try:
        numbers = tuple(value)
    except TypeError:
        numbers = ()
    if len(numbers) != 4:
        msg = f"{name} must be four integers (left, top, right, bottom), not {value!r:.80}"
        raise ValueError(msg)
    return tuple(as_integer(number, name) for number in numbers)
