import io
import os
import stat
import subprocess
import sys
import threading

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


@pytest.mark.parametrize(
    "name", ["写" * 83 + ".pico", "ж" * 125 + ".pico", "\U0001f600" * 62 + ".pico", "a" * 250 + ".pico"]
)
def test_names_as_long_as_the_file_system_takes(tmp_path, patch, patch_file, name):
    path = tmp_path / name
    for _ in range(2):
        pico_plugins.encode_file(path, patch, 60)
        assert path.read_bytes() == patch_file
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="PATH_MAX")
def test_paths_as_long_as_the_system_takes(tmp_path, patch, patch_file, monkeypatch):
    """The temporary file's path would be longer; and a relative path may be short where the absolute one is not."""
    monkeypatch.chdir(tmp_path)

    def enter(name: str) -> None:
        os.mkdir(name)
        os.chdir(name)

    while (left := 4095 - len("/a.pico") - len(os.getcwd())) > 0:
        enter("f" * (left - 1 if left <= 250 else 200))
    path = f"{os.getcwd()}/a.pico"
    assert len(path) == 4095
    for _ in range(2):
        pico_plugins.encode_file(path, patch, 60)
        assert os.listdir() == ["a.pico"]
    assert pico_plugins.decode(path).shape == patch.shape
    enter("f" * 200)
    pico_plugins.encode_file("b.pico", patch, 60)
    assert pico_plugins.decode("b.pico").shape == patch.shape


def test_bytes_paths(tmp_path, patch, patch_file):
    path = os.fsencode(tmp_path / "ä.pico")
    pico_plugins.encode_file(path, patch, 60)
    assert (tmp_path / "ä.pico").read_bytes() == patch_file


PYTHON = "import sys, numpy, pico_plugins as p; image = numpy.zeros((32, 32), numpy.uint8); "


@pytest.mark.skipif(sys.platform == "win32", reason="/dev")
def test_pipes_by_path(tmp_path, patch_file):
    """/dev/stdout, /dev/stdin: whether they are pipes or files."""

    def run(code: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-c", PYTHON + code], check=True, **options)

    written = run("p.encode_file('/dev/stdout', image)", capture_output=True).stdout
    assert pico_plugins.decode(written).shape == (32, 32)
    path = tmp_path / "a.pico"
    with path.open("wb") as file:
        before = path.stat().st_ino
        run("p.encode_file('/dev/stdout', image)", stdout=file)
    assert path.read_bytes() == written
    assert path.stat().st_ino == before  # whoever holds it open goes on with it
    if sys.platform == "linux":
        with path.open("ab") as file:
            run("p.encode_file('/dev/stdout', image); p.encode_file('/dev/fd/1', image)", stdout=file)
        assert path.read_bytes() == 3 * written  # nothing that was there is lost
    for call in ("decode('/dev/stdin').shape", "read_header('/dev/stdin').shape", "check_file('/dev/stdin')"):
        run(f"print(p.{call})", input=patch_file)
    run("\nwith p.LazyImage('/dev/stdin') as i: assert i.levels[1][3:9, 40:45].shape == (6, 5, 3)", input=patch_file)


class Raw(io.RawIOBase):
    """An unbuffered stream, which gives three bytes at a time and takes a thousand."""

    def __init__(self, data: bytes = b"", seekable: bool = True):
        self.data, self.at, self._can = bytearray(data), 0, seekable

    def readable(self):
        return True

    def writable(self):
        return True

    def seekable(self):
        return self._can

    def tell(self):
        if not self._can:
            raise io.UnsupportedOperation
        return self.at

    def seek(self, offset, whence=0):
        if not self._can:
            raise io.UnsupportedOperation
        self.at = {0: 0, 1: self.at, 2: len(self.data)}[whence] + offset
        return self.at

    def readinto(self, buffer):
        part = self.data[self.at : self.at + min(3, len(buffer))]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)

    def write(self, data):
        self.data += bytes(data)[:1000]
        return min(len(data), 1000)


@pytest.mark.parametrize("seekable", [True, False])
def test_raw_streams_that_give_and_take_less_than_asked(photo, tiled_file, seekable):
    expected = pico_plugins.decode(tiled_file)
    assert np.array_equal(pico_plugins.decode(Raw(tiled_file, seekable)), expected)
    assert pico_plugins.read_header(Raw(tiled_file, seekable)).shape == expected.shape
    pico_plugins.check_file(Raw(tiled_file, seekable))
    assert np.array_equal(pico_plugins.decode_region(Raw(tiled_file, seekable), (90, 90, 220, 140)), expected[90:, 90:])
    assert len(list(pico_plugins.decode_bands(Raw(tiled_file, seekable)))) == 2
    with pico_plugins.LazyImage(Raw(tiled_file, seekable)) as image:
        assert np.array_equal(image.levels[0][130, 200], expected[130, 200])
        assert np.array_equal(image.levels[0], expected)
    target = Raw(seekable=seekable)
    pico_plugins.encode_file(target, photo, 90)
    assert bytes(target.data) == pico_plugins.encode(photo, 90)


def test_streams_that_would_block_or_take_nothing_are_errors(patch, patch_file):
    class Empty(Raw):
        def readinto(self, buffer):
            return None if self.at > 20 else super().readinto(buffer)

        def write(self, data):
            return None

    with pytest.raises(OSError, match="blocking mode"):
        pico_plugins.decode(Empty(patch_file))
    with pytest.raises(OSError, match="blocking mode"):
        pico_plugins.encode_file(Empty(), patch)

    class Plain:
        data = b""

        def write(self, data):  # as many file-like objects do
            self.data += data

    plain = Plain()
    pico_plugins.encode_file(plain, patch, 60)
    assert plain.data == patch_file


class Endless(io.RawIOBase):
    """What a stranger sends."""

    def __init__(self, start: bytes):
        self.start, self.given = start, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        assert self.given < 1 << 24
        part = self.start[self.given : self.given + len(buffer)].ljust(len(buffer), b"\0")
        buffer[:] = part
        self.given += len(part)
        return len(part)


def test_no_more_of_a_stream_is_read_than_it_announces(patch_file):
    for call in (pico_plugins.decode, pico_plugins.read_header, pico_plugins.check_file):
        stream = Endless(b"GIF89a")
        with pytest.raises(pico_plugins.PicoError, match="magic"):
            call(stream)
        assert stream.given <= 8
    stream = Endless(patch_file)
    with pytest.raises(pico_plugins.PicoError, match="max_pixels"):
        pico_plugins.decode(stream, max_pixels=9)
    assert stream.given < 100
    stream = Endless(patch_file)
    assert pico_plugins.read_header(stream).shape == (75, 90, 3)
    assert stream.given < 100
    stream = Endless(patch_file)
    assert pico_plugins.decode(stream).shape == (75, 90, 3)
    assert stream.given == len(patch_file)


def test_two_files_on_one_stream(tiled_file, patch_file):
    stream = Raw(patch_file + tiled_file, seekable=False)
    assert pico_plugins.decode(stream).shape == (75, 90, 3)
    assert pico_plugins.decode(stream).shape == (140, 220, 4)


def test_text_files_and_empty_ones_say_so(tmp_path, patch_file):
    with pytest.raises(TypeError, match="binary mode"):
        pico_plugins.decode(io.StringIO("text"))
    with pytest.raises(pico_plugins.PicoError, match="empty"):
        pico_plugins.decode(b"")
    file = io.BytesIO(patch_file)
    file.seek(0, os.SEEK_END)
    with pytest.raises(pico_plugins.PicoError, match="read to its end"):
        pico_plugins.decode(file)
