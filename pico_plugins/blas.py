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


class _Limit:
    """The limit itself, and how many callers need it."""

    def __init__(self) -> None:
        self.lock, self.users, self.restore = threading.Lock(), 0, None


_limit = _Limit()


def _after_fork() -> None:
    """In the child: the threads that needed it are not there. A limit that they had set stays: it costs speed only."""
    global _limit
    _limit = _Limit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread inside, what was set before afterwards.

    The setting belongs to the process. If several callers overlap, the first one in sets it, the last one out restores.
    """
    limit = _limit
    with limit.lock:
        if limit.users == 0:
            limit.restore = _controller().limit(limits=1, user_api="blas").restore_original_limits
        limit.users += 1
    try:
        yield
    finally:
        with limit.lock:
            limit.users -= 1
            if limit.users == 0:
                limit.restore()
                limit.restore = None
