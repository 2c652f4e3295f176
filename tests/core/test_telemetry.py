"""Nothing is written to the home folder or sent: ONNX Runtime and OpenVINO would, each time they are imported."""

import os
import subprocess
import sys

import pytest

from pico_plugins import backends

SETTINGS = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")

WORK = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        print("network:", event, arguments)
sys.addaudithook(watch)
{first}
import io
import pillow_plugin
from PIL import Image
out = io.BytesIO()
Image.new("RGB", (64, 64)).save(out, "PICO", backend={backend!r})
pillow_plugin.register_pico_opener(backend={backend!r})
Image.open(out).load()
"""


def run(home, code: str, **settings: str) -> str:
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    env |= {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home), **settings}
    return subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("backend", backends.available())
def test_a_fresh_home_stays_empty(tmp_path, backend):
    home = tmp_path / "home"
    assert run(home, WORK.format(first="", backend=backend)) == ""
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("plugin", ["pico_plugins", "pillow_plugin", "imageio_plugin"])
def test_importing_a_plugin_before_onnxruntime_is_enough(tmp_path, plugin):
    home = tmp_path / "home"
    assert run(home, WORK.format(first=f"import {plugin}, onnxruntime", backend="onnxruntime")) == ""
    assert list(home.rglob("*")) == []


def test_the_users_own_setting_is_kept(tmp_path):
    code = "import os, pico_plugins; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(tmp_path / "a", code) == "1\n"
    assert run(tmp_path / "b", code, ORT_DISABLE_TELEMETRY="0") == "0\n"
