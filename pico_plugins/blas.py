"""Keeps NumPy's matrix products on the thread that calls them while tiles are coded.

Tiles already occupy every core. OpenBLAS would split each small product over all of them, and its threads then wait by
spinning, which takes the cores from the networks: measured, coding took twice the CPU time and no less wall time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limit = None


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """One BLAS thread inside. May be entered from several threads: the last one out restores what was set before."""
    global _users, _limit
    with _lock:
        _users += 1
        if _users == 1:
            _limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
