"""One job at a time on a thread of its own; a new one replaces what runs, and the window never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from qtpy.QtCore import QCoreApplication, QObject, Signal

from .coding import Cancelled

Report = Callable[[int, int], None]


class Worker(QObject):
    """Runs generator functions; what they yield arrives as signals in the window's thread."""

    produced = Signal(int, object)
    progressed = Signal(int, int, int)
    finished = Signal(int, str)  # empty, or what went wrong

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pico-compare")
        self.job = 0
        QCoreApplication.instance().aboutToQuit.connect(self.cancel)  # Python waits for the thread to end

    def start(self, work: Callable[[Report], Iterator[object]]) -> None:
        """Begin ``work(report)``; an earlier job ends at its next report."""
        self.job += 1
        self._pool.submit(self._run, self.job, work)

    def cancel(self) -> None:
        """End the present job at its next report."""
        self.job += 1

    def close(self) -> None:
        """End everything; what runs, at its next report."""
        self.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: int, work: Callable[[Report], Iterator[object]]) -> None:
        def report(done: int, total: int) -> None:
            if job != self.job:
                raise Cancelled
            self.progressed.emit(job, done, total)

        problem = ""
        try:
            report(0, 1)
            for result in work(report):
                report(1, 1)
                self.produced.emit(job, result)
        except Cancelled:
            return
        except Exception as error:  # shown to the user by the window: nobody else would see it on this thread
            problem = f"{type(error).__name__}: {error}"
        self.finished.emit(job, problem)
