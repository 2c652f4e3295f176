"""Which files the command reads and writes, and in which it leaves what was there."""

import json
import os
import tempfile
import threading
from pathlib import Path

import pytest
from PIL import Image

import pico_plugins
from pico_plugins.cli.sources import find
from tests.cli.conftest import pico, pico_process


@pytest.fixture
def tree(pictures):
    """one.jpg and two.png, and in folders below them more, some of them not to be taken."""
    for name in ("album/a.png", "album/2020/b.jpg", "album/.hidden/c.png", "album/.d.png"):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        Image.open(pictures / "two.png").save(pictures / name)
    (pictures / "album" / "notes.txt").write_text("no image")
    return pictures


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_folders_are_made_anew_below_the_output(tree):
    result = pico("encode", "-r", tree / "album", tree / "one.jpg", "-o", tree / "out")
    assert result.exit_code == 0, result.output
    assert files(tree / "out") == ["2020/b.pico", "a.pico", "one.pico"]
    assert pico("decode", "--recursive", tree / "out", "-o", tree / "back").exit_code == 0
    assert files(tree / "back") == ["2020/b.png", "a.png", "one.png"]
    assert pico("info", "-r", tree / "out").output.count("bits per pixel") == 3


def test_folders_without_output_get_results_beside_the_sources(tree):
    assert pico("encode", "-r", tree / "album").exit_code == 0
    assert {"a.pico", "2020/b.pico"} < set(files(tree / "album"))
    (tree / "empty").mkdir()
    assert pico("encode", "-r", tree / "empty").exit_code == 2


def test_a_folder_that_may_not_be_read_is_complained_about_in_its_turn():
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as top:  # pytest's own folders are closed to others
        (Path(top) / "closed").mkdir(mode=0)
        (Path(top) / "a.png").touch()
        if root:
            os.chmod(top, 0o755)
            os.seteuid(65534)
        try:
            found = find([top], {".png"}, recursive=True)
            assert [source.path.name for source in found] == ["a.png", "closed"]
            with pytest.raises(PermissionError), found[1].open():
                pass
        finally:
            if root:
                os.seteuid(0)


def test_bad_entries_do_not_end_the_batch(tree):
    (tree / "gone.png").symlink_to("nowhere.png")
    (tree / "bad.png").write_bytes(b"no image")
    names = ("album", "bad.png", "gone.png", "missing.png", "two.png")
    result = pico("encode", *(tree / name for name in names))
    assert result.exit_code == 1
    said = dict(line.split(": ", 1) for line in result.stderr.splitlines())
    assert said[str(tree / "album")].startswith("is a folder: --recursive")
    assert said[str(tree / "bad.png")] == "damaged, or not an image that Pillow reads"
    assert str(tree / "gone.png") in said
    assert str(tree / "missing.png") in said
    assert (tree / "two.pico").exists()
    for command in (("decode", "--to", "bmp"), ("info",)):
        result = pico(*command, tree / "album", tree / "missing.pico", tree / "two.png", tree / "two.pico")
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 3
        assert "two." in result.stdout


def test_existing_files_can_be_skipped(pictures):
    (pictures / "two.pico").write_bytes(b"mine")
    result = pico("encode", pictures / "one.jpg", pictures / "two.png", "--skip-existing")
    assert result.exit_code == 0, result.output
    assert "two.pico: exists, skipped" in result.stdout
    assert (pictures / "two.pico").read_bytes() == b"mine"
    assert pico_plugins.read_header(pictures / "one.pico").width == 90
    (pictures / "one.png").write_bytes(b"mine")
    assert pico("decode", pictures / "one.pico", "--skip-existing").exit_code == 0
    assert (pictures / "one.png").read_bytes() == b"mine"
    assert pico("encode", pictures / "one.jpg", "--skip-existing", "--force").exit_code == 2


def test_skipping_does_not_hide_that_two_sources_have_one_target(pictures):
    (pictures / "one.pico").write_bytes(b"mine")
    Image.open(pictures / "one.jpg").save(pictures / "one.png")
    result = pico("encode", pictures / "one.jpg", pictures / "one.png", "--skip-existing")
    assert result.exit_code == 1
    assert "one.jpg" in result.stderr


def test_times_are_preserved_when_asked_for(pictures):
    source, past = pictures / "two.png", 1_000_000_000_123_456_789
    os.utime(source, ns=(past, past))
    assert pico("encode", source).exit_code == 0
    assert (pictures / "two.pico").stat().st_mtime_ns > past
    assert pico("encode", source, "-f", "--preserve-times").exit_code == 0
    assert (pictures / "two.pico").stat().st_mtime_ns == pytest.approx(past, abs=1000)
    assert pico("decode", pictures / "two.pico", "--preserve-times", "-o", pictures / "back.png").exit_code == 0
    assert (pictures / "back.png").stat().st_mtime_ns == pytest.approx(past, abs=1000)


def test_no_file_of_another_format_gets_pico_data(pictures):
    """``pico encode a.png -o photo.jpg`` means something else."""
    before = (pictures / "one.jpg").read_bytes()
    for name in ("one.jpg", "ONE.JPEG", "new.webp"):
        result = pico("encode", pictures / "two.png", "-f", "-o", pictures / name)
        assert result.exit_code == 1
        assert "ends in .pico" in result.stderr
    assert files(pictures) == ["one.jpg", "two.png"]
    assert (pictures / "one.jpg").read_bytes() == before
    for name in ("a.PICO", "a.tmp"):
        assert pico("encode", pictures / "two.png", "-o", pictures / name).exit_code == 0
        assert pico_plugins.read_header(pictures / name).width == 90


def test_a_file_whose_name_means_a_folder(pictures):
    (pictures / "out").write_bytes(b"mine")
    for force in ((), ("-f",)):
        result = pico("encode", pictures / "two.png", "-o", pictures / "out", *force)
        assert result.exit_code == 2
        assert "is a file" in result.stderr
    assert (pictures / "out").read_bytes() == b"mine"


def test_standard_input_to_standard_output(pictures):
    """Both ways, without a name for anything; messages stay out of the data."""
    picture = (pictures / "two.png").read_bytes()
    coded = pico_process("encode", "-", "-q", 90, input=picture)
    assert coded.returncode == 0, coded.stderr
    assert coded.stdout == pico_process("encode", pictures / "two.png", "-q", 90, "-o", "-").stdout
    assert b"bits per pixel" in coded.stderr
    facts = json.loads(pico_process("info", "-", "--json", input=coded.stdout).stdout)
    assert (facts["width"], facts["bytes"]) == (90, len(coded.stdout))
    shown = pico_process("decode", "-", "--to", "tif", input=coded.stdout)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith((b"II*\0", b"MM\0*"))
    assert pico_process("decode", "-", "-o", pictures / "b.png", input=coded.stdout).returncode == 0
    assert Image.open(pictures / "b.png").size == (90, 75)


def test_pipes_and_devices_by_path(pictures):
    pipe, found = pictures / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()), daemon=True)
    reader.start()
    result = pico("encode", pictures / "two.png", "-o", pipe)
    reader.join(20)
    assert result.exit_code == 0, result.output
    assert pico_plugins.decode(found[0]).shape == (75, 90, 3)
    writer = threading.Thread(target=lambda: pipe.write_bytes(found[0]), daemon=True)
    writer.start()
    assert pico("decode", pipe, "-o", pictures / "back.png").exit_code == 0
    writer.join(20)
    assert Image.open(pictures / "back.png").size == (90, 75)
    done = pico_process("encode", pictures / "two.png", "-o", "/dev/stdout")
    assert pico_plugins.decode(done.stdout).shape == (75, 90, 3)


def test_pipes_in_folders_are_left_alone(tree):
    """They would be waited for for ever."""
    os.mkfifo(tree / "album" / "pipe.png")
    assert pico("encode", "-r", tree / "album", "-o", tree / "out").exit_code == 0
    assert files(tree / "out") == ["2020/b.pico", "a.pico"]


def test_an_empty_output_is_no_folder(pictures, monkeypatch):
    """What a shell makes of a variable that is not set; it would be the folder that one happens to be in."""
    monkeypatch.chdir(pictures)
    assert pico("encode", "two.png", "-o", "").exit_code == 2
    assert files(pictures) == ["one.jpg", "two.png"]


def test_what_standard_streams_cannot_be(pictures):
    one, two = pictures / "one.jpg", pictures / "two.png"
    picture = two.read_bytes()
    assert pico("encode", one, two, "-o", "-").exit_code == 2
    assert pico("encode", one, "--all-frames", "-o", "-").exit_code == 2
    assert pico("encode", one, "--preserve-times", "-o", "-").exit_code == 2
    assert pico("encode", "-", "-", "-o", pictures / "out", stdin=picture).exit_code == 2
    result = pico("encode", "-", "-o", pictures / "out", stdin=picture)
    assert result.exit_code == 1
    assert "standard input has no name" in result.stderr
    result = pico("encode", "-", "-o", pictures / "a.pico", "--preserve-times", stdin=picture)
    assert result.exit_code == 1
    assert "has no times" in result.stderr


def test_nothing_is_written_to_a_terminal(pictures):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    done = pico_process_on(theirs, "encode", pictures / "two.png", "-o", "-")
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"is a terminal" in done.stderr


def pico_process_on(stdout: int, *arguments: object):
    import subprocess
    import sys

    command = [sys.executable, "-m", "pico_plugins", *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=60)
