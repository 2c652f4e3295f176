import threading

import numpy  # noqa: F401  (whose BLAS it is)
from threadpoolctl import threadpool_limits

from pico_plugins.blas import _controller, single_threaded_blas


def threads() -> set[int]:
    """Of the libraries that were loaded when tiles were first coded: others (SciPy's) are not ours to limit."""
    return {pool["num_threads"] for pool in _controller().info() if pool["user_api"] == "blas"}


def test_one_thread_inside_and_what_was_before_outside():
    with threadpool_limits(3, user_api="blas"):
        before = threads()
        with single_threaded_blas():
            assert threads() == {1}
            with single_threaded_blas():
                assert threads() == {1}
            assert threads() == {1}
        assert threads() == before


def test_overlapping_users_do_not_leave_the_limit_behind():
    """The second thread enters while the first is inside and leaves after it."""
    before = threads()
    inside, leave = threading.Event(), threading.Event()

    def second():
        with single_threaded_blas():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=second)
    with single_threaded_blas():
        thread.start()
        assert inside.wait(10)
    leave.set()
    thread.join()
    assert threads() == before
