"""All backends give the same symbols, and pixels within their bounds of the reference's."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

import pico_plugins
from pico_plugins import backends, weights
from pico_plugins.cli import main
from pico_plugins.errors import PicoError
from tests.conftest import psnr
from tests.golden.symbols import FOLDER, symbols_hash

REFERENCE = "onnxruntime"
CONFIG = json.loads((weights.model_folder(weights.DEFAULT) / "manifest.json").read_text())["config"]
LATENTS, HYPERLATENTS = CONFIG["latents"], CONFIG["hyperlatents"]
OTHERS = [name for name in backends.available() if name != REFERENCE]


def usable(name: str) -> str:
    try:
        pico_plugins.decode(FOLDER / "one-pixel.pico", backend=name)
    except PicoError:
        raise
    except ValueError as error:
        pytest.skip(str(error))
    return name


def assert_within_its_bound(name: str, expected: np.ndarray, shown: np.ndarray) -> None:
    if name.endswith("bf16"):
        assert psnr(expected, shown) > 50
    else:
        assert np.abs(expected.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("quality", [5, 50, 95])
def test_pixels_are_those_of_the_reference(photo, name, quality):
    data = pico_plugins.encode(photo, quality, backend=REFERENCE)
    expected = pico_plugins.decode(data, backend=REFERENCE)
    assert_within_its_bound(name, expected, pico_plugins.decode(data, backend=usable(name)))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("scale", [1 / 2, 1 / 4, 1 / 8])
def test_reduced_images_too(photo, name, scale):
    data = pico_plugins.encode(photo, 60, backend=REFERENCE)
    expected = pico_plugins.decode(data, scale=scale, backend=REFERENCE)
    assert_within_its_bound(name, expected, pico_plugins.decode(data, scale=scale, backend=usable(name)))


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_one_are_files_of_all(photo, name):
    """Another backend's encoder may choose other symbols, but about as good ones, and always the same."""
    usable(name)
    ours, theirs = (pico_plugins.encode(photo, 60, backend=backend) for backend in (name, REFERENCE))
    assert ours == pico_plugins.encode(photo, 60, backend=name, threads=1)
    assert len(ours) == pytest.approx(len(theirs), rel=0.01)
    assert len(symbols_hash(ours)) == len(symbols_hash(theirs))
    quality = [psnr(photo, pico_plugins.decode(data, backend=REFERENCE)) for data in (ours, theirs)]
    assert quality[0] == pytest.approx(quality[1], abs=0.05)


def test_environment_and_argument_choose(monkeypatch):
    assert backends.resolve("auto") == backends.available()[0]
    monkeypatch.setenv("PICO_BACKEND", REFERENCE)
    assert backends.resolve(None) == REFERENCE
    assert backends.resolve("auto") == backends.available()[0]
    with pytest.raises(ValueError, match="not available; installed"):
        backends.resolve("abacus")


def test_the_default_is_one_that_stays_within_a_level():
    assert not backends.available()[0].endswith("bf16")
    assert REFERENCE in backends.available()


def test_only_the_chosen_backend_is_imported():
    code = f"""
import sys, pico_plugins
pico_plugins.decode({str(FOLDER / "gray.pico")!r})
assert "openvino" not in sys.modules
"""
    environment = os.environ | {"PICO_BACKEND": REFERENCE}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_info_lists_them_with_times():
    result = CliRunner().invoke(main, ["info", "--backends"])
    assert result.exit_code == 0, result.output
    listed = [line.split()[0] for line in result.output.splitlines()]
    assert listed == [*backends.available(), *backends.unavailable()]
    assert not {"onnxruntime"} & backends.unavailable().keys()
    if sys.platform != "darwin":
        assert "coreml          runs on macOS only" in result.output
    assert result.output.count("used unless another") == 1
    assert CliRunner().invoke(main, ["info"]).exit_code == 2


GOLDEN = sorted(FOLDER.glob("*.pico"))


@pytest.mark.parametrize("name", [name for name in OTHERS if not name.endswith("bf16")])
@pytest.mark.parametrize("file", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_within_a_level_of_the_reference(name, file):
    expected = pico_plugins.decode(file, backend=REFERENCE)
    shown = pico_plugins.decode(file, backend=usable(name))
    assert np.abs(expected.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("name", backends.available())
def test_loaded_once_and_shared_between_threads(tiled_file, name):
    """Eight threads ask at once for what nobody has loaded yet, and each gets what one alone gets."""
    expected = pico_plugins.decode(tiled_file, backend=usable(name), threads=1)
    backends._loaded.clear()
    folder = weights.model_folder(weights.DEFAULT)
    start = threading.Barrier(8)

    def work(_: int) -> tuple[int, np.ndarray]:
        start.wait()
        networks = backends.load(name, folder, 1)
        return id(networks), pico_plugins.decode(tiled_file, backend=name, threads=1)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert len({identity for identity, _ in results}) == 1
    assert all(np.array_equal(pixels, expected) for _, pixels in results)


@pytest.mark.parametrize("name", backends.available())
def test_one_thread_means_one_core(photo, name):
    """CPU time over wall time: what runs beside the caller would bring it near the number of cores."""
    data = pico_plugins.encode(photo, 60, backend=usable(name), tile=504)
    pico_plugins.decode(data, backend=name, threads=1)  # loading may use more
    used, passed = time.process_time(), time.perf_counter()
    for _ in range(3):
        pico_plugins.encode(photo, 60, backend=name, tile=504, threads=1)
        pico_plugins.decode(data, backend=name, threads=1)
    share = (time.process_time() - used) / (time.perf_counter() - passed)
    assert share < 1.25


def test_torch_is_left_as_the_host_program_had_it(patch_file):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads(), torch.is_grad_enabled(), torch.backends.cudnn.allow_tf32
    pico_plugins.decode(patch_file, backend=usable("torch"), threads=1)
    assert (torch.get_num_threads(), torch.is_grad_enabled(), torch.backends.cudnn.allow_tf32) == before


@pytest.mark.parametrize("name", [REFERENCE, "openvino", "openvino-bf16"])
@pytest.mark.parametrize(
    "work",
    [
        "pico_plugins.decode({path!r}, backend={name!r})",
        "pico_plugins.encode(numpy.random.default_rng(0).integers(0, 256, (75, 90, 3), numpy.uint8), backend={name!r})",
    ],
    ids=["decode", "encode"],
)
def test_first_use_costs_less_than_a_second_of_cpu(tmp_path, patch_file, name, work):
    """CPU seconds rather than a clock's: another process on the machine must not decide."""
    if name not in backends.available():
        pytest.skip("not installed")
    usable(name)
    path = tmp_path / "a.pico"
    path.write_bytes(patch_file)
    code = f"""
import time, numpy, pico_plugins
start = time.process_time()
{work.format(path=str(path), name=name)}
print(time.process_time() - start)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 1


@pytest.mark.skipif("openvino" not in OTHERS, reason="not installed")
def test_first_use_by_many_threads_at_once_comes_to_an_end():
    """In fresh processes: OpenVINO's first conversion of an array is where two threads could wait for each other."""
    code = f"""
import sys
sys.setswitchinterval(1e-5)
from concurrent.futures import ThreadPoolExecutor
import numpy as np, threading
from pico_plugins import backends, weights
networks = backends.load("openvino", weights.model_folder(weights.DEFAULT), 1)
start = threading.Barrier(8)
def work(_):
    z, symbols = (np.zeros(({HYPERLATENTS}, 1, 1), np.int32), np.zeros(({4 * LATENTS}, 2, 2), np.int32))
    start.wait()
    return networks.synthesise(networks.dequantize(z, symbols, 0.0), 0.0, 0.0, 8)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(8)))
"""
    for _ in range(4):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
