"""Keeps NumPy's matrix products on the thread that calls them while tiles are coded.

Tiles already occupy every core. OpenBLAS would split each small product over all of them, and its threads then wait by
spinning, which takes the cores from the networks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_taken = threading.Lock()


def _after_fork() -> None:
    """In the child: the thread that held it is not there."""
    global _taken
    _taken = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread inside, what was set before afterwards.

    The setting belongs to the process. If several callers overlap, the first one in sets and restores it: the others
    may lose the limit a little early, which costs speed only, and none can restore a value that another one had set.
    """
    taken = _taken
    if not taken.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        taken.release()
