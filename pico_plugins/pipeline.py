"""Work on tiles: several at once, in order, never more than a few in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .blas import single_threaded_blas
from .cpus import cpu_count
from .integers import as_integer

if TYPE_CHECKING:
    from concurrent.futures import Executor

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called after each tile with the number of tiles done and their total."""

MAX_THREADS = 16


def thread_count(threads: int | None) -> int:
    """``threads``, or one for each CPU that is ours to use. ``ValueError`` unless it is an integer of at least 1."""
    if threads is None:
        return min(cpu_count(), MAX_THREADS)
    count = as_integer(threads, "threads")
    if count < 1:
        msg = f"threads must be an integer of at least 1, not {threads!r}"
        raise ValueError(msg)
    return count


def ordered(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """``map(work, items)`` on ``threads`` threads; results in order, at most ``threads + 1`` items under way.

    A tile's entropy coding runs while another's networks do: the heavy parts all release Python's lock. Where no
    threads can be had, or no more of them, the calling thread does the work: ``work`` may then be called twice for an
    item.
    """
    with single_threaded_blas(), ExitStack() as stack:
        pool = _pool(threads)
        if pool is not None:
            stack.callback(pool.shutdown, cancel_futures=True)
        pending: deque[Callable[[], Result]] = deque()
        for item in items:
            result = partial(work, item)
            if pool is not None:
                try:
                    result = pool.submit(work, item).result
                except RuntimeError:  # Python is ending, or the system grants no more threads
                    pool = None
            pending.append(result)
            if len(pending) > threads or pool is None:
                yield pending.popleft()()
        while pending:
            yield pending.popleft()()


def _pool(threads: int) -> Executor | None:
    """``threads`` threads; None where one is enough, or Python is ending and cannot even import their module."""
    if threads > 1:
        with suppress(RuntimeError):
            from concurrent.futures import ThreadPoolExecutor

            return ThreadPoolExecutor(threads, thread_name_prefix="pico")
    return None
