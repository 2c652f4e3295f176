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


def test_in_a_folder_that_takes_no_new_file_an_old_one_is_written_in_place(open_folder):
    """As ``open`` would; a new file is refused by its own name."""
    path = open_folder / "a.pico"
    path.write_bytes(b"old" * 1000)
    path.chmod(0o666)
    open_folder.chmod(0o555)
    before = path.stat().st_ino
    assert save_as_nobody(path) == "saved"
    pico_plugins.check_file(path)
    assert path.stat().st_ino == before
    new = open_folder / "b.pico"
    said = save_as_nobody(new)
    assert "PermissionError" in said
    assert str(new) in said
    assert os.listdir(open_folder) == ["a.pico"]


def test_a_folder_and_a_file_that_may_not_be_written(open_folder):
    path = open_folder / "a.pico"
    path.write_bytes(b"old")
    path.chmod(0o444)
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


def in_a_mount_namespace(command: str, *arguments) -> subprocess.CompletedProcess:
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    return subprocess.run(["unshare", "-m", "sh", "-c", command, *arguments], capture_output=True, text=True)


WRITE = "import sys, numpy, pico_plugins; pico_plugins.encode_file(sys.argv[1], numpy.full((32, 32), 9, numpy.uint8))"


def test_a_file_that_is_mounted_by_itself_is_written_in_place(tmp_path):
    """As containers mount single files: it cannot be replaced, only written to."""
    outside, inside = tmp_path / "outside.pico", tmp_path / "inside.pico"
    outside.write_bytes(b"old" * 1000)
    inside.touch()
    run = in_a_mount_namespace(
        'mount --bind "$0" "$1" && exec "$2" -c "$3" "$1"', outside, inside, sys.executable, WRITE
    )
    assert run.returncode == 0, run.stderr
    assert pico_plugins.decode(outside)[0, 0] == 9
    assert sorted(os.listdir(tmp_path)) == ["inside.pico", "outside.pico"]


def test_writing_in_place_gives_the_old_contents_back_if_it_fails(old, monkeypatch):
    from pico_plugins import atomic

    def refuse(*_):
        raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(os, "replace", refuse)
    pixels = np.arange(243, dtype=np.uint8).reshape(9, 9, 3)
    overwrite, steps = atomic._overwrite, []

    def fail_once(file, data):
        steps.append(data)
        overwrite(file, data if len(steps) > 1 else data[:50])
        if len(steps) == 1:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atomic, "_overwrite", fail_once)
    with pytest.raises(OSError, match="full"):
        pico_plugins.encode_file(old, pixels)
    assert old.read_bytes() == b"old"
    assert os.listdir(old.parent) == ["a.pico"]
    pico_plugins.encode_file(old, pixels)
    pico_plugins.check_file(old)


def test_a_private_file_is_never_open_to_others(old, monkeypatch):
    """Not even its new contents, before they are in its place."""
    seen, sync = [], os.fsync

    def look(handle):
        seen.append(os.fstat(handle).st_mode & 0o777)
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    old.chmod(0o600)
    pico_plugins.encode_file(old, np.zeros((9, 9), np.uint8))
    assert seen == [0o600]


@pytest.mark.skipif("os.geteuid()", reason="only root may give files away")
def test_the_owner_stays(old):
    os.chown(old, 1234, 5678)
    pico_plugins.encode_file(old, np.zeros((9, 9), np.uint8))
    assert (old.stat().st_uid, old.stat().st_gid) == (1234, 5678)


def test_a_file_system_without_fsync(old, monkeypatch):
    def missing(handle):
        raise OSError(errno.ENOSYS, "no fsync")

    monkeypatch.setattr(os, "fsync", missing)
    pico_plugins.encode_file(old, np.zeros((9, 9), np.uint8))
    pico_plugins.check_file(old)
