"""Which quality gives a file of a wanted size."""

from __future__ import annotations

from collections.abc import Callable


def nearest_quality(size_of: Callable[[int], int], size: int, lowest: int = 1, highest: int = 99) -> int:
    """The quality whose file comes nearest to ``size`` bytes: a bisection.

    ``size_of`` gives the bytes of a file at a quality; it should not fall.
    """
    sizes: dict[int, int] = {}
    low, high = lowest, highest
    while high - low > 1:
        middle = (low + high) // 2
        sizes[middle] = size_of(middle)
        low, high = (middle, high) if sizes[middle] <= size else (low, middle)
    for quality in (low, high):
        if quality not in sizes:
            sizes[quality] = size_of(quality)
    return min(sizes, key=lambda quality: abs(sizes[quality] - size))
