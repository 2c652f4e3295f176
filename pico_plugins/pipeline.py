"""Work on tiles: several at once, in order, never more than a few in memory."""

from __future__ import annotations

import numbers
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from .blas import single_threaded_blas
from .cpus import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called after each tile with the number of tiles done and their total."""

MAX_THREADS = 16


def thread_count(threads: int | None) -> int:
    """``threads``, or one for each CPU that is ours to use. ``ValueError`` unless it is an integer of at least 1."""
    if threads is None:
        return min(cpu_count(), MAX_THREADS)
    if not isinstance(threads, numbers.Integral) or threads < 1:
        msg = f"threads must be an integer of at least 1, not {threads!r}"
        raise ValueError(msg)
    return threads


def ordered(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """``map(work, items)`` on ``threads`` threads; results in order, at most ``threads + 1`` items under way.

    A tile's entropy coding runs while another's networks do: the heavy parts all release Python's lock.
    """
    if threads == 1:
        with single_threaded_blas():
            yield from map(work, items)
        return
    pending: deque[Future[Result]] = deque()
    with single_threaded_blas(), ThreadPoolExecutor(threads, thread_name_prefix="pico") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
