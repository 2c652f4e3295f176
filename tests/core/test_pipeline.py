"""Work on several threads, and where there are none to be had."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import pico_plugins
from pico_plugins.pipeline import ordered

HEAD = """
import atexit, sys, threading, time
from PIL import Image
import pillow_plugin
path = sys.argv[1]
image = Image.new("RGB", (64, 64), "red")
def later(work):
    def wait_and_work():
        time.sleep(0.3)
        work()
        print("done")
    threading.Thread(target=wait_and_work).start()
def save(threads=2):
    image.save(path, threads=threads)
"""
ENDS = {
    "a thread saves": "save(); later(save)",
    "a thread loads": "save(); later(lambda: Image.open(path).load())",
    "a thread uses the codec for the first time": "later(lambda: save(threads=1))",
    "an exit handler saves": "save(); atexit.register(lambda: (save(), print('done')))",
    "an exit handler loads": "save(); atexit.register(lambda: (Image.open(path).load(), print('done')))",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_after_the_main_thread(tmp_path, end):
    """Python waits for other threads and runs exit handlers when no pool of threads can be had any more."""
    path = tmp_path / "a.pico"
    run = subprocess.run([sys.executable, "-c", HEAD + end, path], capture_output=True, text=True)
    assert run.stdout == "done\n", run.stderr
    pico_plugins.check_file(path)


@pytest.mark.parametrize("granted", [0, 1])
def test_where_the_system_grants_no_more_threads(tiled_file, monkeypatch, granted):
    """As under a limit on processes (``ulimit -u``, a container's pids): slower, the same pixels, in order."""
    expected = pico_plugins.decode(tiled_file)
    start, started = threading.Thread.start, []

    def limited(thread):
        if len(started) == granted:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert np.array_equal(pico_plugins.decode(tiled_file, threads=3), expected)
    assert pico_plugins.encode(expected, 50, tile=80, threads=3)
    started.clear()
    broken = bytearray(tiled_file)
    broken[-10] ^= 1
    damaged = []
    pico_plugins.decode(bytes(broken), threads=3, damaged=damaged)
    assert damaged == [5]  # once
    started.clear()
    assert list(ordered(str, range(20), 3)) == list(map(str, range(20)))
    assert len(started) == granted


def test_errors_of_the_work_are_raised_and_nothing_goes_on():
    done = []

    def work(item):
        done.append(item)
        if item == 3:
            raise RuntimeError(item)
        return item

    for threads in (1, 3):
        done.clear()
        with warnings.catch_warnings(), pytest.raises(RuntimeError, match="3"):
            warnings.simplefilter("error")
            list(ordered(work, range(100), threads))
        assert len(done) <= 3 + threads + 2
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("pico")]
