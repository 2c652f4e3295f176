"""The same symbols from the same file, whatever runs beneath; the same file from the same pixels."""

import hashlib
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_info

import pico_plugins
from pico_plugins import backends, weights
from pico_plugins.entropy.entropy_model import EntropyModel
from tests.golden.symbols import FOLDER, symbols, symbols_hash

HASHES = json.loads((FOLDER / "symbols.json").read_text())
UMATH = sys.modules.get("numpy._core._multiarray_umath") or sys.modules["numpy.core._multiarray_umath"]
FEATURES = [name for name in UMATH.__cpu_dispatch__ if UMATH.__cpu_features__.get(name)]
KERNELS = ("Katmai", "Nehalem", "Sandybridge", "Haswell", "SkylakeX")


def in_environment(code: str, **environment: str) -> str:
    """What ``code`` prints in a fresh Python with a changed environment."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ | environment
    )
    return done.stdout


HASH_ALL = f"""
import json
from tests.golden.symbols import FOLDER, symbols_hash
names = {list(HASHES)}
print(json.dumps({{name: symbols_hash((FOLDER / (name + ".pico")).read_bytes()) for name in names}}))
"""


@pytest.mark.skipif(not FEATURES, reason="this NumPy chooses no code by processor")
def test_numpy_without_its_cpu_features():
    code = f"""
import sys, numpy
umath = sys.modules.get("numpy._core._multiarray_umath") or sys.modules["numpy.core._multiarray_umath"]
assert not any(umath.__cpu_features__[name] for name in {FEATURES}), "they were not disabled"
"""
    assert json.loads(in_environment(code + HASH_ALL, NPY_DISABLE_CPU_FEATURES=" ".join(FEATURES))) == HASHES


@pytest.mark.parametrize("kernel", KERNELS)
def test_openblas_kernels(kernel):
    """Those that this processor can run, as far as OpenBLAS obeys."""
    if not any(pool["internal_api"] == "openblas" for pool in threadpool_info()):
        pytest.skip("this NumPy does not use OpenBLAS")
    needs = {"Haswell": "avx2", "Sandybridge": "avx", "SkylakeX": "avx512f"}.get(kernel)
    with open("/proc/cpuinfo") as info:
        if needs and needs not in info.read().split():
            pytest.skip(f"this processor lacks {needs}")
    code = "import numpy, threadpoolctl; print([p['architecture'] for p in threadpoolctl.threadpool_info()][0])"
    environment = {"OPENBLAS_CORETYPE": kernel}
    loaded, hashes = in_environment(code + HASH_ALL, **environment).splitlines()
    assert json.loads(hashes) == HASHES
    if loaded.lower() != kernel.lower():
        pytest.skip(f"OpenBLAS took {loaded}: equal, but not what was asked for")


class Recorder:
    """A backend that hands everything on, and remembers the symbols that the decoder gives to the networks."""

    def __init__(self, networks: backends.Networks) -> None:
        self.networks, self.seen = networks, {}

    def __getattr__(self, name: str) -> object:
        return getattr(self.networks, name)

    def dequantize(self, z, values, level):
        self.seen[hashlib.sha256(z.tobytes() + values.tobytes()).hexdigest()] = values.shape
        return self.networks.dequantize(z, values, level)


class Noisy(Recorder):
    """A backend whose every output is off: far more than rounding, less than a different network."""

    def __init__(self, networks: backends.Networks, amount: float) -> None:
        super().__init__(networks)
        self.amount, self.random = amount, np.random.default_rng(0)

    def _off(self, values: np.ndarray) -> np.ndarray:
        return values + self.random.normal(0, self.amount, values.shape).astype(np.float32)

    def analyse(self, pixels, level, tune="pixels"):
        y, z = self.networks.analyse(pixels, level)
        return self._off(y), np.rint(self._off(z)).astype(np.int32)

    def quantize(self, z, y, coded, level):
        """Other means and steps of the context model amount to other symbols."""
        values = self.networks.quantize(z, y, coded, level)
        return np.where(coded, np.rint(self._off(values)), 0).astype(np.int32)

    def dequantize(self, z, values, level):
        return self._off(super().dequantize(z, values, level))

    def synthesise(self, latents, level, realism, reduction=1):
        pixels = self.networks.synthesise(latents, level, realism, reduction)
        return np.clip(self._off(pixels), 0, 255).astype(np.uint8)


@contextmanager
def wrapped(monkeypatch, make):
    """The codec with every backend's networks handed to ``make`` first."""
    made = []

    def load(*arguments):
        made.append(make(real(*arguments)))
        return made[-1]

    real = backends.load
    with monkeypatch.context() as patch:
        patch.setattr(backends, "load", load)
        yield made


def decoded_symbols(monkeypatch, data: bytes, make=Recorder, **options) -> set[str]:
    """Hashes of what the decoder gives to the networks, tile by tile."""
    with wrapped(monkeypatch, make) as made:
        pico_plugins.decode(data, **options)
    return {seen for networks in made for seen in networks.seen}


@pytest.mark.parametrize("name", HASHES)
def test_threads_and_backends(monkeypatch, name):
    data = (FOLDER / f"{name}.pico").read_bytes()
    expected = {hashlib.sha256(z.tobytes() + values.tobytes()).hexdigest() for z, _, values in symbols(data)}
    for backend in backends.available():
        for threads in (1, 2, 4):
            try:
                seen = decoded_symbols(monkeypatch, data, backend=backend, threads=threads)
            except ValueError as error:
                assert "this CPU does not compute in" in str(error)
                continue
            assert seen == expected, (backend, threads)


@pytest.mark.parametrize("amount", [0.01, 2.0])
def test_noise_in_the_networks_changes_no_decoded_symbol(monkeypatch, patch_file, tiled_file, amount):
    for data in (patch_file, tiled_file):
        clean = decoded_symbols(monkeypatch, data)
        noisy = decoded_symbols(monkeypatch, data, lambda networks: Noisy(networks, amount))
        assert clean == noisy
    assert not np.array_equal(pico_plugins.decode(patch_file), _shown(monkeypatch, patch_file, amount))


def _shown(monkeypatch, data: bytes, amount: float) -> np.ndarray:
    with wrapped(monkeypatch, lambda networks: Noisy(networks, amount)):
        return pico_plugins.decode(data)


@pytest.mark.parametrize("amount", [0.01, 2.0])
def test_what_a_noisy_encoder_meant_is_what_is_read(monkeypatch, patch, amount):
    """Other symbols than without noise; whoever reads the file gets exactly those."""
    meant = []

    class Remembering(Noisy):
        def quantize(self, *arguments):
            meant.append(super().quantize(*arguments))
            return meant[-1]

    with wrapped(monkeypatch, lambda networks: Remembering(networks, amount)):
        data = pico_plugins.encode(patch, 60)
    ((_, _, read),) = symbols(data)
    assert np.array_equal(read, meant[0])
    assert pico_plugins.decode(data).shape == patch.shape


@pytest.mark.parametrize("tensor", ["head.bias", "gather.bias", "head.level_bias", "up2.bias"])
def test_a_model_whose_sums_could_leave_the_exact_range_is_refused(tmp_path, tensor):
    """The bound is checked for the weights at hand, whenever they are loaded."""
    tensors = load_file(weights.model_folder(weights.DEFAULT) / "entropy.safetensors")
    EntropyModel(weights.model_folder(weights.DEFAULT))
    tensors[tensor] = tensors[tensor].copy()
    tensors[tensor].ravel()[0] = (1 << 31) - 1
    save_file(tensors, tmp_path / "entropy.safetensors")
    with pytest.raises(ValueError, match="not exact"):
        EntropyModel(tmp_path)


@pytest.mark.parametrize("backend", [name for name in backends.available() if not name.endswith("bf16")])
def test_encoders_are_deterministic_between_processes(backend):
    """Whatever the hash seed, the number of threads and the BLAS threads; NumPy's kernels do not matter either."""
    code = f"""
import hashlib, numpy as np, sys
from PIL import Image
import pico_plugins
from tests.conftest import PHOTO
photo = np.asarray(Image.open(PHOTO))[100:260, 200:420]
data = pico_plugins.encode(photo, 50, tile=64, backend={backend!r})
print(hashlib.sha256(data).hexdigest())
"""
    found = {
        in_environment(code, PYTHONHASHSEED="1", OPENBLAS_NUM_THREADS="1"),
        in_environment(code, PYTHONHASHSEED="2", OPENBLAS_NUM_THREADS="2", NPY_DISABLE_CPU_FEATURES=" ".join(FEATURES)),
    }
    assert len(found) == 1
    assert re.fullmatch(r"[0-9a-f]{64}\n", found.pop())


def test_the_hash_notices_a_changed_symbol(monkeypatch):
    """That these tests can fail."""
    data = (FOLDER / "gray.pico").read_bytes()
    known = symbols_hash(data)
    real = EntropyModel.decode_symbols

    def changed(*arguments):
        z, indices, values = real(*arguments)
        values[0, 0, 0] += 1
        return z, indices, values

    monkeypatch.setattr(EntropyModel, "decode_symbols", changed)
    assert symbols_hash(data) != known
