"""Whatever goes wrong while a file is saved, the one that was there before is whole."""

import errno
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

import pico_plugins
from tests.reliability.saving import kill_while_saving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kill, limits and users as Linux has them")


def test_killed_while_saving():
    """A few times; ``python -m tests.reliability.saving`` does it two hundred times."""
    assert kill_while_saving(4)["kills"] == 4


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "a.pico"
    path.write_bytes(b"old")
    return path


def test_a_full_disk_keeps_the_old_file(old):
    """Writing stops with an error behind 1000 bytes (RLIMIT_FSIZE)."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            pico_plugins.encode_file(
                old, np.arange(243, dtype=np.uint8).reshape(9, 9, 3), metadata=pico_plugins.Metadata(xmp=bytes(5000))
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert old.read_bytes() == b"old"
    assert os.listdir(old.parent) == ["a.pico"]


def test_a_full_file_system_keeps_the_old_file(tmp_path):
    """A real one of 64 kB, where this may be mounted."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        path = tmp_path / "a.pico"
        path.write_bytes(b"old")
        with pytest.raises(OSError) as kept:
            pico_plugins.encode_file(
                path, np.arange(243, dtype=np.uint8).reshape(9, 9, 3), metadata=pico_plugins.Metadata(xmp=bytes(99_999))
            )
        assert kept.value.errno == errno.ENOSPC
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["a.pico"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


SAVE = """
import os, sys, numpy, pico_plugins
pixels = numpy.arange(243, dtype="uint8").reshape(9, 9, 3)
pico_plugins.encode(pixels, threads=1)  # everything is loaded while Python's own files may still be read
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
pico_plugins.encode_file(sys.argv[1], pixels, threads=1)
"""


def save_as_nobody(path) -> str:
    """The last line of what saving to ``path`` without any privilege says."""
    done = subprocess.run([sys.executable, "-c", SAVE, path], capture_output=True, text=True)
    return (done.stderr.splitlines() or ["saved"])[-1]


@pytest.fixture
def open_folder(tmp_path):
    """A folder that everybody may use; pytest's own are private."""
    import shutil
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="pico-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_keeps_the_old_file(open_folder):
    path = open_folder / "a.pico"
    path.write_bytes(b"old")
    path.chmod(0o666)
    open_folder.chmod(0o555)
    assert "PermissionError" in save_as_nobody(path)
    assert path.read_bytes() == b"old"


def test_a_file_that_may_not_be_written_is_not_replaced_either(open_folder):
    """Renaming asks only the folder; that is no reason to replace what is write-protected."""
    path = open_folder / "a.pico"
    path.write_bytes(b"old")
    path.chmod(0o444)
    assert "PermissionError" in save_as_nobody(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(open_folder) == ["a.pico"]
    path.chmod(0o666)
    assert save_as_nobody(path) == "saved"  # so it was the permission
