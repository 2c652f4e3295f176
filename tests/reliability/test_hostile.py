"""Whatever the bytes are: an image that every checksum vouches for, or a documented error."""

import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from pico_plugins import weights
from pico_plugins.errors import DamagedError, LimitError
from pico_plugins.format.container import MAX_CHUNKS
from pico_plugins.format.header import MAX_PIXELS
from tests.golden.symbols import FOLDER
from tests.reliability import bombs, mutation, oracle
from tests.reliability.fuzz import CORPUS, seeds
from tests.reliability.mutation import join, join_tiles, split, split_tiles

PACKAGES = ("pico_plugins", "pillow_plugin", "imageio_plugin", "napari_plugin")
ROOT = Path(__file__).parents[2]
FULL = os.environ.get("PICO_RELIABILITY") == "full"


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.name[:12])
def test_corpus(path, monkeypatch):
    """What fuzzing has found so far that reaches code of its own."""
    monkeypatch.setenv("PICO_BACKEND", "onnxruntime")
    oracle.examine(mutation.adopt(path.read_bytes()))


def test_seeded_mutations(monkeypatch):
    """A short, repeatable run of what the fuzzer does."""
    monkeypatch.setenv("PICO_BACKEND", "onnxruntime")
    source, files = random.Random(7), list(seeds().values())
    leaf = mutation.random_leaf(source)
    outcomes = {oracle.examine(mutation.mutate(source.choice(files), leaf, source)) for _ in range(150)}
    assert {"image", "DamagedError", "NotPicoError", "TruncatedError", "UnsupportedError"} <= outcomes


def test_every_flip_of_every_byte():
    """All eight flips of one bit in each byte of a small file; in the full run all 255 wrong values."""
    good = (FOLDER / "one-pixel.pico").read_bytes()
    broken = bytearray(good)
    for at, right in enumerate(good):
        for flip in range(1, 256) if FULL else (1 << bit for bit in range(8)):
            broken[at] = right ^ flip
            with pytest.raises(pico_plugins.PicoError):
                pico_plugins.decode(broken, threads=1)
        broken[at] = right


def test_truncation_with_tolerance_shows_only_whole_tiles():
    """Around the end of every tile, and of the index."""
    data = seeds()["alpha"]
    chunks = split(data)
    ends = np.cumsum([0] + [len(colour) + len(alpha) for colour, alpha in split_tiles(chunks)])
    start = len(data) - 4 - ends[-1]
    for end in ends:
        for length in (start + end - 1, start + end, start + end + 1):
            oracle.examine(data[:length])


def test_mended_checksums_do_not_hide_a_damaged_tile():
    """Colour that is no tile, behind checksums that are right: an error by name, or a blank tile by number."""
    chunks = split(seeds()["alpha"])
    tiles = split_tiles(chunks)
    tiles[2] = tiles[2][0][:-4], tiles[2][1]
    data = join_tiles(chunks, tiles)
    with pytest.raises(DamagedError, match="tile 2"):
        pico_plugins.decode(data)
    damaged: list[int] = []
    pico_plugins.decode(data, damaged=damaged)
    assert damaged == [2]


def test_a_tile_without_data_is_refused_before_any_pixel():
    chunks = split(seeds()["rgb"])
    with pytest.raises(DamagedError, match="tile 0 has no data"):
        pico_plugins.decode(join_tiles(chunks, [(b"", b"")]), damaged=[])


def test_more_chunks_than_allowed(patch):
    head = split(seeds()["rgb"])
    many = [head[0], *[(b"text", b"%d\0" % number) for number in range(MAX_CHUNKS + 1)], *head[1:]]
    with pytest.raises(LimitError, match=str(MAX_CHUNKS)):
        pico_plugins.read_header(join(many))
    assert len(pico_plugins.read_header(join(many[:1] + many[2:])).metadata.text) == MAX_CHUNKS
    with pytest.raises(ValueError, match="texts"):
        pico_plugins.Metadata(text={str(number): "" for number in range(MAX_CHUNKS + 1)})


def test_the_limit_on_pixels_is_the_cores_own():
    """2^29 pixels without Pillow, and no more; ``max_pixels`` raises it."""
    assert MAX_PIXELS == 1 << 29
    with pytest.raises(DamagedError):  # allowed as for its size
        pico_plugins.decode(bombs.at_the_limit())
    one_more = bombs._without_pixels(bombs._header(1 << 15, (1 << 14) + 1))
    with pytest.raises(LimitError, match="max_pixels"):
        pico_plugins.decode(one_more)
    with pytest.raises(DamagedError):
        pico_plugins.decode(one_more, max_pixels=1 << 30)


def test_what_is_too_narrow_to_be_read_is_not_written():
    thin = np.broadcast_to(np.zeros((), np.uint8), (1 << 21, 1))
    with pytest.raises(LimitError, match=r"too much work.* cut it into shorter pieces"):
        pico_plugins.encode(thin)


@pytest.mark.parametrize("name", ["at_the_limit", "many_tiles", "thin", "many_texts", "much_metadata", "all_escapes"])
@pytest.mark.skipif(sys.platform != "linux", reason="/proc and RLIMIT_AS")
def test_bombs(name):
    """In little memory; ``python -m tests.reliability.bombs`` measures all of them."""
    found = bombs.measure(name)
    assert bombs.within(name, found), found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_no_file_stays_open(tmp_path):
    """After success, after every kind of failure, in every way to open a path."""
    import imageio.v3 as iio

    import imageio_plugin  # noqa: F401

    good = seeds()["tiles"]
    paths = [tmp_path / f"{number}.pico" for number in range(4)]
    for path, data in zip(paths, (good, good[:-9], good[:30], b"not a file"), strict=True):
        path.write_bytes(data)

    def with_pillow(path):
        with Image.open(path) as image:
            image.load()

    def lazily(path):
        with pico_plugins.LazyImage(path) as image:
            image.levels[0][:9, :9]

    ways = (pico_plugins.decode, pico_plugins.read_header, pico_plugins.check_file, with_pillow, lazily, iio.imread)
    before = None
    for _ in range(3):
        for path in paths:
            for way in ways if path != paths[-1] else ways[:-1]:  # imageio hands what is not ours to others
                try:
                    way(path)
                except (pico_plugins.PicoError, OSError):
                    assert path != paths[0]
        next(iter(pico_plugins.decode_bands(paths[0])))
        before = before or oracle.open_files()  # libraries keep some of their own
    assert oracle.open_files() == before


def test_no_source_can_load_a_pickle():
    """No module that turns bytes into objects is imported, and torch's loader is told not to (``weights_only``).

    One exception, that no file reaches: the bench reads the arrays of an LPIPS package, whose hashes it knows.
    """
    found, bench = [], ROOT / "pico_plugins/evaluation/lpips.py"
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path != bench):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            bad = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"} & {n.split(".")[0] for n in names}
            if isinstance(node, ast.Call):
                call, keywords = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
                bad |= {call} & {"eval", "exec"}
                if call == "torch.load" and keywords.get("weights_only") != "True":
                    bad |= {call}
                if call in ("np.load", "numpy.load") and keywords.get("allow_pickle", "False") != "False":
                    bad |= {call}
            found += [f"{path}: {name}" for name in bad]
    assert not found


def test_nothing_is_unpickled_while_files_are_opened():
    """Python itself reports every unpickling of a class to an audit hook."""
    code = f"""
import sys, numpy
def hook(event, arguments):
    if event in ("pickle.find_class", "marshal.loads") and armed:
        raise SystemExit(f"{{event}} {{arguments}}")
armed = False
sys.addaudithook(hook)
import pico_plugins, pillow_plugin, pico_plugins.decoder, pico_plugins.backends
from PIL import Image
for name in pico_plugins.backends.available():
    pico_plugins.backends.importlib.import_module("pico_plugins.backends." + name.split("-")[0])
import PIL.WebPImagePlugin, PIL.PngImagePlugin
pixels = pico_plugins.decode({str(FOLDER / "gray.pico")!r})
pico_plugins.backends._loaded.clear(); pico_plugins.weights.model_folder.cache_clear()
from pico_plugins.tiles.model import _entropy_model; _entropy_model.cache_clear()
armed = True
for name in ("gray", "rgba-tiles"):
    pico_plugins.decode({str(FOLDER)!r} + f"/{{name}}.pico")
    Image.open({str(FOLDER)!r} + f"/{{name}}.pico").load()
armed = False
import pickle; armed = True
try:
    pickle.loads(pickle.dumps(pico_plugins.PicoError("x")))
except SystemExit:
    print("watched")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "watched\n"


@pytest.mark.parametrize("name", json.loads((weights.FOLDER / weights.DEFAULT / "manifest.json").read_text())["sha256"])
def test_changed_weights_are_refused(tmp_path, monkeypatch, name):
    """One byte of any file of the model: checked before it is used."""
    import shutil

    folder = shutil.copytree(weights.FOLDER / weights.DEFAULT, tmp_path / weights.DEFAULT)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.model_folder.cache_clear()
    try:
        with pytest.raises(ValueError, match=f"{name} differs"):
            pico_plugins.decode(FOLDER / "gray.pico")
    finally:
        weights.model_folder.cache_clear()
