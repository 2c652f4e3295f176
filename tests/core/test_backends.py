"""All backends give the same symbols, and pixels within their bounds of the reference's."""

import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import pico_plugins
from pico_plugins import backends
from pico_plugins.cli import main
from pico_plugins.errors import PicoError
from tests.conftest import psnr
from tests.golden.symbols import FOLDER, symbols_hash

REFERENCE = "onnxruntime"
OTHERS = [name for name in backends.available() if name != REFERENCE]


def usable(name: str) -> str:
    try:
        pico_plugins.decode(FOLDER / "one-pixel.pico", backend=name)
    except PicoError:
        raise
    except ValueError as error:
        pytest.skip(str(error))
    return name


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("quality", [5, 50, 95])
def test_pixels_are_those_of_the_reference(photo, name, quality):
    data = pico_plugins.encode(photo, quality, backend=REFERENCE)
    expected = pico_plugins.decode(data, backend=REFERENCE)
    shown = pico_plugins.decode(data, backend=usable(name))
    if name.endswith("bf16"):
        assert psnr(expected, shown) > 50
    else:
        assert np.abs(expected.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("scale", [1 / 4, 1 / 8])
def test_reduced_images_too(photo, name, scale):
    data = pico_plugins.encode(photo, 60, backend=REFERENCE)
    expected = pico_plugins.decode(data, scale=scale, backend=REFERENCE)
    assert psnr(expected, pico_plugins.decode(data, scale=scale, backend=usable(name))) > 45


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
    assert listed == backends.available()
    assert result.output.count("used unless another") == 1
    assert CliRunner().invoke(main, ["info"]).exit_code == 2
