import os
import stat
import sys

import numpy as np
import pytest

import pico_plugins
from pico_plugins.files import writing


def test_a_failing_write_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.pico"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), writing(path) as file:
        file.write(b"half of the new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.pico"]


def test_refused_pixels_do_not_touch_the_old_file(tmp_path):
    path = tmp_path / "a.pico"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="uint8"):
        pico_plugins.encode_file(path, np.zeros((4, 4)))
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions(tmp_path, patch, patch_file):
    path = tmp_path / "a.pico"
    old = os.umask(0o027)
    try:
        pico_plugins.encode_file(path, patch, 60)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    pico_plugins.encode_file(path, patch, 60)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.read_bytes() == patch_file


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_symbolic_links_stay_links(tmp_path, patch):
    real, link = tmp_path / "real.pico", tmp_path / "link.pico"
    real.write_bytes(b"old")
    link.symlink_to(real)
    pico_plugins.encode_file(link, patch)
    assert link.is_symlink()
    assert pico_plugins.decode(real).shape == patch.shape


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
def test_devices_and_pipes_are_written_to_not_replaced(tmp_path, patch, patch_file):
    import threading

    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    pico_plugins.encode_file(pipe, patch, 60)
    reader.join(20)
    assert got == [patch_file]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_missing_folder(tmp_path, patch):
    with pytest.raises(FileNotFoundError):
        pico_plugins.encode_file(tmp_path / "no" / "a.pico", patch)
