"""Many threads, many processes, one result; nothing leaks."""

import concurrent.futures
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import pico_plugins
from pico_plugins import backends

FULL = os.environ.get("PICO_RELIABILITY") == "full"
LOADED = [name for name in backends.available() if not name.endswith("bf16")]


def digest(job: tuple[np.ndarray, str | None]) -> str:
    """Of the file and the pixels that the codec makes of an image."""
    pixels, backend = job
    data = pico_plugins.encode(pixels, 50, tile=64, backend=backend)
    return hashlib.sha256(data + pico_plugins.decode(data, backend=backend).tobytes()).hexdigest()


def in_processes(method: str, jobs: list) -> set[str]:
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
        return set(pool.map(digest, jobs, timeout=200))


def test_sixteen_threads(patch):
    """Each of which uses threads of its own."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(digest, [(patch, None)] * 32)) == {digest((patch, None))}


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_four_processes(patch, method):
    """Also forked ones, of a process in which every backend has been at work already."""
    expected = digest((patch, "onnxruntime"))
    for name in LOADED:
        digest((patch, name))
    assert in_processes(method, [(patch, "onnxruntime")] * 8) == {expected}


@pytest.mark.skipif("openvino" not in LOADED or not hasattr(os, "fork"), reason="OpenVINO and fork")
def test_what_does_not_survive_a_fork_says_so():
    """OpenVINO, used before the fork, would hang or crash after it: another backend takes over, or an error comes."""
    code = """
import os, signal, numpy, pico_plugins
from pico_plugins import backends
data = pico_plugins.encode(numpy.arange(243, dtype="uint8").reshape(9, 9, 3), backend="openvino")
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
signal.alarm(60)
assert pico_plugins.decode(data).shape == (9, 9, 3)
assert backends.resolve("auto") == "onnxruntime"
try:
    pico_plugins.decode(data, backend="openvino")
except ValueError as error:
    assert "'spawn' or 'forkserver'" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PICO_BACKEND": "auto"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_fork_amid_other_threads_work():
    """Whatever the other threads held when the process was forked, the child decodes."""
    code = """
import faulthandler, os, sys, threading, numpy, pico_plugins
data = pico_plugins.encode(numpy.arange(243, dtype="uint8").reshape(9, 9, 3), backend="onnxruntime")
pico_plugins.decode(data, backend="onnxruntime")  # Python itself does not survive a fork amid another thread's imports
done = threading.Event()
def work():
    while not done.is_set():
        pico_plugins.decode(data, backend="onnxruntime", threads=2)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
status = []
for _ in range(10):
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(60, exit=True)
        os._exit(pico_plugins.decode(data, backend="onnxruntime").shape != (9, 9, 3))
    status.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
sys.exit(any(status))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_public_objects_survive_pickling(tmp_path, tiled_file):
    path = tmp_path / "a.pico"
    path.write_bytes(tiled_file)
    header = pico_plugins.read_header(path)
    error = pico_plugins.PicoError("what")
    assert pickle.loads(pickle.dumps(header)) == header
    assert pickle.loads(pickle.dumps(header.metadata)) == header.metadata
    assert str(pickle.loads(pickle.dumps(error))) == "what"
    for source in (path, tiled_file):
        with pico_plugins.LazyImage(source, realism=0.5, cache_bytes=9) as image:
            again = pickle.loads(pickle.dumps(image))
            with again:
                assert again.realism == 0.5
                assert np.array_equal(again.levels[1], image.levels[1])
                assert np.array_equal(pickle.loads(pickle.dumps(image.levels[0])), image.levels[0])
    with path.open("rb") as file, pico_plugins.LazyImage(file) as image, pytest.raises(TypeError, match="its path"):
        pickle.dumps(image)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("backend", LOADED if FULL else ["onnxruntime"])
def test_a_thousand_decodes_leak_nothing(backend):
    """Resident memory after 1,000 more decodes of a small image, in a process of its own.

    glibc has one arena for its memory here. Otherwise it may open another, of 2 MB, whenever threads happen to meet,
    up to eight a core, while what is allocated in them stays the same.
    """
    code = f"""
import numpy, pico_plugins, resource
data = pico_plugins.encode(numpy.random.default_rng(0).integers(0, 256, (64, 64, 4), "uint8"))
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
for number in range(1200):
    if number == 200: before = resident()
    pico_plugins.decode(data, backend={backend!r}, threads={None if FULL else 1})
print((resident() - before) / 1000)
"""
    one_arena = os.environ | {"MALLOC_ARENA_MAX": "1"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=one_arena)
    print(f"{backend}: {float(done.stdout):.0f} bytes a decode")
    assert float(done.stdout) < 2000  # the image alone has 16,384
