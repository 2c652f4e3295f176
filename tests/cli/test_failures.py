"""How the command ends when something fails: with a line and an exit code, never a traceback."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial

import click
import numpy as np
import pytest
from PIL import Image

import pico_plugins
from pico_plugins.cli.progress import progress_bar
from tests.cli.conftest import pico, pico_process


def test_the_module_is_the_command(pictures):
    done = pico_process("encode", pictures / "two.png")
    assert done.returncode == 0, done.stderr
    assert (pictures / "two.pico").exists()
    assert b"Usage: pico " in pico_process("--help").stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk(pictures):
    pico("encode", pictures / "two.png")
    for arguments in (("encode", pictures / "two.png"), ("decode", pictures / "two.pico", "--to", "tif")):
        done = pico_process(*arguments, "-o", "/dev/full")
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert b"No space left on device" in done.stderr
    command = [sys.executable, "-m", "pico_plugins", "info", pictures / "two.pico"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.fixture
def large(pictures, photo):
    """A picture that MS-SSIM can measure."""
    Image.fromarray(photo[:192, :192]).save(pictures / "large.png")
    return pictures / "large.png"


def test_folders_that_cannot_be_made(pictures, large):
    for command in (("encode",), ("demo",), ("bench",), ("bench", "--scaling")):
        done = pico_process(*command, large, "-o", pictures / "one.jpg" / "new")
        assert done.returncode in (1, 2)
        assert b"Traceback" not in done.stderr
        assert b"one.jpg" in done.stderr
    done = pico_process("export", "--target", "onnx", "-o", pictures / "one.jpg" / "new")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


def test_pictures_that_are_none(pictures):
    (pictures / "bad.png").write_bytes(b"no image")
    for command in ("demo", "bench"):
        done = pico_process(command, pictures / "bad.png", "-o", pictures / "out")
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        assert b"not an image" in done.stderr


def test_a_reader_that_goes_away_is_no_failure_to_speak_of(pictures):
    pico("encode", pictures / "two.png")
    command = f"{sys.executable} -m pico_plugins info {'two.pico ' * 500} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, check=False, cwd=pictures, env=on_path())
    assert done.stdout.startswith(b"file")
    assert done.stderr == b""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_result_that_nobody_reads_to_the_end_is_no_success(tmp_path, unbuffered):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    pico_plugins.encode_file(tmp_path / "a.pico", noise)
    command = [sys.executable, "-m", "pico_plugins", "decode", tmp_path / "a.pico", "-o", "-"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdout.read(2) == b"\x89P"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


def test_standard_streams_that_are_closed(pictures):
    picture = pictures / "two.png"
    for arguments, closed in ((f"{picture} -o -", ">&-"), (f"- -o {pictures / 'a.pico'}", "<&-")):
        command = f"{sys.executable} -m pico_plugins encode {arguments} {closed}"
        done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 1
        assert b"is closed" in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_names_are_said_once(pictures):
    result = pico("encode", pictures / "missing.png", pictures / "two.png")
    assert result.stderr == f"{pictures / 'missing.png'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("bjontegaard", ("bench", "large.png", "--against", "jpeg"), "bench"),
        ("pillow_jxl", ("bench", "large.png"), "bench"),
        ("pytorch_msssim", ("bench", "large.png", "--against", "jpeg"), "bench"),
        ("torch", ("export", "--report"), "torch"),
    ],
)
def test_a_package_of_an_extra_that_is_not_installed(pictures, large, package, arguments, extra):
    """``None`` in ``sys.modules`` is what Python takes for a module that is not there."""
    code = f"import sys; sys.modules[{package!r}] = None; from pico_plugins.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pictures, env=on_path())
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{package} is not installed: pip install 'pico-plugins[{extra}]'" in done.stderr


def on_path() -> dict[str, str]:
    """The environment of a process that starts in another folder and imports what this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_interrupted(pictures):
    """By Ctrl-C while it waits for what it reads: 130, as shells expect, and nothing beside what is whole."""
    pipe = pictures / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pico_plugins", "encode", pictures / "two.png", pipe, "-o", pictures / "out"]
    # Whoever runs the tests in the background may have turned the signal off, and a child would inherit that.
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=listening)
    handle = None
    while handle is None and process.poll() is None:  # it cannot be opened before the command has opened it
        with contextlib.suppress(OSError):
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    os.close(handle)
    assert process.returncode == 130
    assert said.strip() == b"interrupted"
    assert os.listdir(pictures / "out") == ["two.pico"]


def test_interrupted_while_writing(pictures, monkeypatch):
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    pico("encode", pictures / "two.png")
    monkeypatch.setattr(Image.Image, "save", interrupt)
    result = pico("decode", pictures / "two.pico", "-o", pictures / "back.tif")
    assert result.exit_code == 130
    assert not [name for name in os.listdir(pictures) if "back" in name]


def test_names_that_are_no_text(pictures):
    """Bytes that are not UTF-8, and letters that the terminal's encoding lacks."""
    os.rename(pictures / "two.png", os.fsencode(pictures) + b"/\xff\xce\xbb.png")
    name = os.fsdecode(b"\xff\xce\xbb.pico")
    for encoding in ("utf-8", "latin-1"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = pico_process("encode", "-f", "-r", pictures, env=environment)
        assert done.returncode == 0, done.stderr
        assert ("\u03bb".encode() if encoding == "utf-8" else b"\\u03bb") in done.stdout
        assert pico_plugins.read_header(pictures / name).width == 90
        assert pico_process("info", pictures / name, env=environment).returncode == 0


def test_warnings_name_the_file(pictures, monkeypatch):
    import warnings

    import pillow_plugin

    def save(*arguments: object, **options: object) -> None:
        warnings.warn("mind the step", stacklevel=2)

    monkeypatch.setattr(pillow_plugin, "save", save)
    result = pico("encode", pictures / "one.jpg", pictures / "two.png")
    assert result.stderr.splitlines() == [f"{pictures / n}: warning: mind the step" for n in ("one.jpg", "two.png")]


def test_bench_says_first_what_it_could_not_measure(pictures):
    for options, said in (
        ((), "MS-SSIM needs"),
        (("--low", 2, "--high", 1), "below --high"),
        (("--low", "nan"), "below --high"),
        (("--low", 50, "--high", 90, "--metrics", "psnr"), "choose other --low"),
    ):
        result = pico("bench", pictures / "two.png", "--against", "jpeg", "-o", pictures / "out", *options)
        assert result.exit_code in (1, 2)
        assert said in result.stderr
        assert isinstance(result.exception, SystemExit)


def test_demo_replaces_nothing_unasked(pictures):
    """Its results have names that others may have given to theirs."""
    mine = pictures / "out" / "two.jpeg"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    result = pico("demo", pictures / "two.png", "-o", mine.parent)
    assert result.exit_code == 1
    assert "two.jpeg" in result.stderr
    assert "--force" in result.stderr
    assert mine.read_bytes() == b"mine"
    assert pico("demo", pictures / "two.png", "-o", mine.parent, "--force").exit_code == 0
    assert Image.open(mine).size == (90, 75)


def test_the_progress_bar_asks_for_no_more_than_click_8_1_has(monkeypatch):
    known = {"length", "label", "show_eta", "show_percent", "show_pos", "fill_char", "width", "file", "color"}
    bar = click.progressbar

    def old_bar(**options: object):
        assert set(options) <= known
        return bar(**options)

    monkeypatch.setattr(click, "progressbar", old_bar)
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with progress_bar("a") as move:
            move(1, 2)


def test_with_a_terminal_for_messages(pictures):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pico_plugins", "encode", pictures / "two.png"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    said = os.read(ours, 10_000)
    os.close(ours)
    assert done.returncode == 0
    assert b"two.pico" in done.stdout
    assert b"100%" in said
