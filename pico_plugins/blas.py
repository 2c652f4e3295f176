"""Keeps NumPy's matrix products on the thread that calls them while tiles are coded.

Tiles already occupy every core. OpenBLAS would split each small product over all of them, and its threads then wait by
spinning, which takes the cores from the networks: measured, coding took twice the CPU time (docs/performance.md).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def single_threaded_blas() -> AbstractContextManager:
    """One BLAS thread inside, what was set before afterwards.

    The setting belongs to the process. If several threads ask at once, the first one in sets and restores it.
    """
    return _controller().limit(limits=1, user_api="blas")
