"""A backend that is installed but does not work: others take its place, or an error says what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pico_plugins import backends
from tests.golden.symbols import FOLDER

DECODE = f"import pico_plugins; print(pico_plugins.decode({str(FOLDER / 'gray.pico')!r}).shape)"


@pytest.fixture
def run(tmp_path):
    """Runs code in a fresh process that finds ``modules`` (name -> source) before what is installed."""

    def start(code: str, *options: str, modules: dict[str, str], **environment: str) -> subprocess.CompletedProcess:
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)
        found = {name: value for name, value in os.environ.items() if name != "PICO_BACKEND"} | environment
        found["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
        command = [sys.executable, *options, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=found)

    return start


BROKEN = {"onnxruntime": "raise ImportError('DLL load failed while importing onnxruntime_pybind11_state')"}
needs_another = pytest.mark.skipif(
    not {"openvino", "torch"}.intersection(backends.available()), reason="no other backend is installed"
)


@needs_another
@pytest.mark.parametrize("source", [BROKEN["onnxruntime"], "raise OSError('no such library')", "import numpy; 1 / 0"])
def test_auto_takes_the_next_one_and_says_so(run, source):
    done = run(DECODE, modules={"onnxruntime": source})
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning: backend 'onnxruntime' is installed, but cannot be imported" in done.stderr
    assert "is used" in done.stderr


def test_asked_for_by_name_it_is_an_error_that_says_why(run):
    for environment in ({"PICO_BACKEND": "onnxruntime"}, {}):
        code = DECODE if environment else DECODE.replace(").shape", ", backend='onnxruntime').shape")
        done = run(code, modules=BROKEN, **environment)
        assert done.returncode == 1
        assert "ValueError: backend 'onnxruntime' is installed, but cannot be imported" in done.stderr
        assert "DLL load failed" in done.stderr


def test_with_none_that_works_the_error_says_why(run):
    lost = dict.fromkeys(("openvino", "torch", "coremltools"), "raise ImportError('not this one either')")
    done = run(DECODE, modules=BROKEN | lost)
    assert done.returncode == 1
    assert "DLL load failed" in done.stderr.splitlines()[-1]
    assert "installed: none" in done.stderr.splitlines()[-1]


def test_an_empty_folder_is_no_package(run, tmp_path):
    """What is left where two packages of one name were installed and one was taken away."""
    (tmp_path / "onnxruntime" / "capi").mkdir(parents=True)
    code = f"""
import importlib.util, sys
from pico_plugins import backends
sys.path[:] = [{str(tmp_path)!r}]  # nothing else is installed
assert importlib.util.find_spec("onnxruntime")
print(backends.unavailable()["onnxruntime"])
"""
    done = run(code, modules={})
    assert done.returncode == 0, done.stderr
    assert done.stdout == "not installed: pip install onnxruntime\n"


@needs_another
def test_the_command_lists_it_as_broken(run):
    done = run("from pico_plugins.cli import main; main(['info', '--backends'])", modules=BROKEN)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "DLL load failed" in lines["onnxruntime"]
    assert sum("used unless another" in line for line in lines.values()) == 1
