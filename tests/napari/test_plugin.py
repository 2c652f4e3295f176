"""The plugin's functions and manifest, as npe2 calls them; no window."""

import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

npe2 = pytest.importorskip("npe2")

import pico_plugins
from napari_plugin import reader, sample_data, writer
from napari_plugin.reader import get_reader
from napari_plugin.writer import write_image, write_images

WITH_A_WINDOW = ("napari_plugin.compare", "napari_plugin.authenticity_layer")


@pytest.fixture
def path(tmp_path, patch_file):
    path = tmp_path / "patch.pico"
    path.write_bytes(patch_file)
    return str(path)


def test_manifest_is_valid_and_its_commands_exist():
    done = subprocess.run([sys.executable, "-m", "npe2", "validate", "pico-plugins"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = npe2.PluginManifest.from_distribution("pico-plugins")
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        if module.startswith(WITH_A_WINDOW) and not find_spec("napari"):
            assert find_spec(module)
        else:
            assert callable(getattr(import_module(module), name))


def test_read_a_small_image(path, patch_file):
    ((data, options, kind),) = get_reader(path)(path)
    assert kind == "image"
    assert np.array_equal(data, pico_plugins.decode(patch_file))
    assert (options["name"], options["rgb"]) == ("patch", True)
    assert options["metadata"]["pico"]["quality"] == 60
    assert "multiscale" not in options
    for other in ([path], Path(path), [Path(path)]):
        assert get_reader(other)(other)[0][1]["name"] == "patch"


def test_gray_is_no_rgb(tmp_path, patch):
    path = str(tmp_path / "a.pico")
    pico_plugins.encode_file(path, patch[..., 0])
    ((data, options, _),) = get_reader(path)(path)
    assert data.shape == patch.shape[:2]
    assert options["rgb"] is False


def test_a_large_image_is_a_pyramid_that_has_decoded_nothing(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(reader, "LAZY_FROM", 100_000)
    path = str(tmp_path / "a.pico")
    pico_plugins.encode_file(path, photo, tile=120)
    ((levels, options, _),) = get_reader(path)(path)
    assert options["multiscale"] is True
    assert [level.shape for level in levels] == [(400, 600, 3), (200, 300, 3), (100, 150, 3), (50, 75, 3)]
    assert levels[0].image._cached == 0
    assert np.array_equal(levels[0][30:60, 500:], pico_plugins.decode(path)[30:60, 500:])


def test_what_is_not_ours_gets_no_reader(tmp_path, path):
    other = tmp_path / "other.pico"
    other.write_bytes(b"something else")
    for wrong in (str(other), str(tmp_path / "none.pico"), str(tmp_path), [path, str(other)], []):
        assert get_reader(wrong) is None


def stacked(paths: list[str]) -> tuple:
    """The one layer that npe2, and with it ``viewer.open(paths, stack=True, plugin=None)``, makes of several files."""
    pytest.importorskip("dask.array")
    npe2.PluginManager.instance().discover()
    (layer,) = npe2.read(paths, stack=True)
    return layer


def test_several_files_are_a_stack_that_decodes_what_is_looked_at(tmp_path, patch, monkeypatch):
    images = [patch, patch[::-1].copy(), patch // 2]
    paths = [str(tmp_path / f"{number}.pico") for number in range(3)]
    for path, image in zip(paths, images, strict=True):
        pico_plugins.encode_file(path, image)
    data, options, kind = stacked(paths)
    assert (data.shape, data.dtype, kind) == ((3, *patch.shape), np.uint8, "image")
    assert (options["name"], options["rgb"], options["multiscale"]) == ("0", True, False)
    read = []
    decode_region = pico_plugins.decode_region
    monkeypatch.setattr(
        "napari_plugin.stack.decode_region", lambda path, *a, **o: read.append(path) or decode_region(path, *a, **o)
    )
    assert np.array_equal(np.asarray(data[1]), pico_plugins.decode(paths[1]))
    assert read == [paths[1]]
    assert np.array_equal(np.asarray(data[:, 5:9, 2]), [pico_plugins.decode(path)[5:9, 2] for path in paths])


def test_a_stack_of_large_files_is_a_pyramid(tmp_path, photo, monkeypatch):
    pytest.importorskip("dask.array")
    monkeypatch.setattr(reader, "LAZY_FROM", 100_000)
    monkeypatch.setattr("napari_plugin.stack.CHUNK", 200)
    gray = photo[:397, :, 1]  # sides that no chunk divides
    paths = [str(tmp_path / f"{number}.pico") for number in range(2)]
    for path, image in zip(paths, (gray, 255 - gray), strict=True):
        pico_plugins.encode_file(path, image, tile=120)
    levels, options, _ = stacked(paths)
    assert (options["rgb"], options["multiscale"]) == (False, True)
    for level, scale in zip(levels, (1, 1 / 2, 1 / 4, 1 / 8), strict=True):
        assert np.array_equal(np.asarray(level), [pico_plugins.decode(path, scale=scale) for path in paths])
    assert levels[0].numblocks == (2, 4, 5)


def test_damage_in_a_stack_is_gray_in_its_reduced_images_and_an_error_at_full_size(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(reader, "LAZY_FROM", 100_000)
    paths = [str(tmp_path / f"{number}.pico") for number in range(2)]
    broken = bytearray(pico_plugins.encode(photo, tile=120))
    (tmp_path / "0.pico").write_bytes(broken)
    broken[-10] ^= 1
    (tmp_path / "1.pico").write_bytes(broken)
    levels, _, _ = stacked(paths)
    with pytest.warns(UserWarning, match=r"1\.pico stay gray: 1 damaged"):
        small = np.asarray(levels[2])
    assert (small[1, -1, -1] == 128).all()
    assert np.array_equal(small[0], pico_plugins.decode(paths[0], scale=1 / 4))
    with pytest.raises(pico_plugins.PicoError, match="checksum"):
        np.asarray(levels[0])


def test_images_of_different_sizes_are_no_stack(tmp_path, patch):
    paths = [str(tmp_path / name) for name in ("a.pico", "b.pico")]
    pico_plugins.encode_file(paths[0], patch)
    pico_plugins.encode_file(paths[1], patch[..., 0])
    with pytest.raises(ValueError, match=r"a\.pico and .*b\.pico are 75 x 90 x 3 and 75 x 90"):
        stacked(paths)


def test_write_what_was_read_with_its_metadata(tmp_path, tiled_file):
    source, target = tmp_path / "a.pico", str(tmp_path / "b")
    source.write_bytes(tiled_file)
    ((data, options, _),) = get_reader(str(source))(str(source))
    assert write_image(target, data, {**options, "multiscale": False}) == [f"{target}.pico"]
    header = pico_plugins.read_header(f"{target}.pico")
    assert header.shape == data.shape
    assert header.metadata == pico_plugins.read_header(tiled_file).metadata
    assert header.metadata.exif and header.metadata.text
    assert header.info()["pico"]["quality"] == 75


def test_a_name_without_suffix_replaces_no_file(tmp_path, patch):
    """napari's dialog has asked about the name that was typed."""
    (tmp_path / "a.pico").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError, match=r"a\.pico"):
        write_image(str(tmp_path / "a"), patch, {"rgb": True})
    assert (tmp_path / "a.pico").read_bytes() == b"somebody's"
    write_image(str(tmp_path / "a.pico"), patch, {"rgb": True})
    assert pico_plugins.read_header(tmp_path / "a.pico").shape == patch.shape


def test_long_names_of_layers_fit(tmp_path, patch):
    layers = [(patch, {"name": f"{'x' * 300}{end}", "rgb": True}, "image") for end in "ab"]
    assert [len(Path(path).name) for path in write_images(str(tmp_path / "s"), layers)] == [107, 109]


def test_write_full_resolution_of_a_pyramid(tmp_path, patch):
    path = str(tmp_path / "a.PICO")
    meta = {"rgb": True, "multiscale": True, "metadata": {"exif": {"not": "bytes"}}}
    assert write_image(path, [patch, patch[::2, ::2]], meta) == [path]
    assert pico_plugins.read_header(path).shape == patch.shape


@pytest.mark.parametrize("limit, times", [(1 << 20, 1), (100, None)])
def test_a_lazy_layer_is_computed_once_if_it_fits_into_memory(tmp_path, photo, monkeypatch, limit, times):
    dask = pytest.importorskip("dask")
    array = pytest.importorskip("dask.array")
    monkeypatch.setattr(writer, "COMPUTED_AT_ONCE", limit)
    for name in ("SMALL_TILE", "TILE"):
        monkeypatch.setattr(f"pico_plugins.encoder.{name}", 100)
    calls = []
    lazy = array.from_delayed(dask.delayed(lambda: calls.append(1) or photo)(), photo.shape, np.uint8)
    write_image(str(tmp_path / "a.pico"), lazy, {"rgb": True})
    assert times is None or len(calls) == times
    assert (tmp_path / "a.pico").read_bytes() == pico_plugins.encode(photo)


@pytest.mark.parametrize(
    "data",
    [
        np.linspace(-3, 3, 601).reshape(1, -1),
        np.linspace(-300, 300, 601).astype(np.int32).reshape(1, -1),
        np.arange(65536, dtype=np.uint16).reshape(256, 256),
        np.nan_to_num(np.array([[np.nan, -1.0, 0.5, 1.0]])),
        np.array([[False, True]]),
        np.array([[0, 3j, 4 + 3j]]),
    ],
    ids=lambda data: str(data.dtype),
)
def test_the_advice_for_other_types_keeps_the_order_of_all_values(tmp_path, data):
    """Whoever follows it gets 0 for the least value, 255 for the greatest, and nothing in between is cut off."""
    skimage = pytest.importorskip("skimage")
    with pytest.raises(TypeError) as refused:
        write_image(str(tmp_path / "a.pico"), data, {"rgb": False})
    says = str(refused.value)
    assert ("np.nan_to_num" in says) == (data.dtype.kind in "fc")
    expression = re.search(r"skimage\.exposure.*?astype\(np\.uint8\)", says).group()
    advised = eval(expression, {"np": np, "skimage": skimage, "layer": SimpleNamespace(data=data)})
    assert (advised.dtype, advised.min(), advised.max()) == (np.uint8, 0, 255)
    real = np.abs(data) if data.dtype.kind == "c" else data.astype(float)
    assert np.abs(advised - (real - real.min()) / np.ptp(real) * 255).max() <= 1
    write_image(str(tmp_path / "a.pico"), advised, {"rgb": False})


def test_several_layers_become_several_files(tmp_path, patch):
    """As File > Save Selected Layers does it."""
    gray = patch[..., 0]
    layers = [
        (patch, {"name": "nuclei", "rgb": True}, "image"),
        ([gray, gray[::2, ::2]], {"name": "a/b", "rgb": False, "multiscale": True}, "image"),
        (gray[:20], {"name": "A:b", "rgb": False}, "image"),
    ]
    npe2.PluginManager.instance().discover()
    written = npe2.write(str(tmp_path / "scan.pico"), layers)
    names = ["scan-nuclei.pico", "scan-a_b.pico", "scan-A_b-1.pico"]  # no two that some file system takes for the same
    assert written == [str(tmp_path / name) for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert [pico_plugins.read_header(path).shape for path in written] == [patch.shape, gray.shape, (20, gray.shape[1])]
    assert npe2.write(str(tmp_path / "one.pico"), layers[:1]) == [str(tmp_path / "one.pico")]


def test_of_several_layers_none_is_written_if_one_cannot_be(tmp_path, patch):
    layers = [(patch, {"name": name, "rgb": True}, "image") for name in ("a", "b")]
    deep = (patch[..., 0].astype(np.int16), {"name": "deep", "rgb": False}, "image")
    with pytest.raises(TypeError, match=r"layer 'deep': .* int16.*Convert it first"):
        write_images(str(tmp_path / "scan.pico"), [*layers, deep])
    assert not list(tmp_path.iterdir())
    (tmp_path / "scan-b.pico").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError, match=r"scan-b\.pico"):
        write_images(str(tmp_path / "scan.pico"), layers)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"somebody's"]


@pytest.mark.parametrize(
    "data, rgb, says",
    [
        (np.zeros((5, 5), np.uint16), False, "8 bits"),
        (np.zeros((5, 5, 3), np.float32), True, "8 bits"),
        (np.zeros((4, 5, 5), np.uint8), False, "single slice"),
        (np.zeros((4, 5, 5, 3), np.uint8), True, "single slice"),
    ],
)
def test_other_layers_are_refused_with_a_way_out(tmp_path, data, rgb, says):
    path = tmp_path / "a.pico"
    with pytest.raises(TypeError, match=says):
        write_image(str(path), data, {"rgb": rgb})
    assert not path.exists()


def test_what_is_too_large_for_the_format_is_said(tmp_path, patch):
    """napari would take a ``ValueError`` for "nobody can write this", and say so instead of the reason."""
    with pytest.raises(RuntimeError, match=r"metadata of .*layer\.metadata"):
        write_image(str(tmp_path / "a.pico"), patch, {"rgb": True, "metadata": {"exif": bytes(80 << 20)}})
    assert not list(tmp_path.iterdir())


def test_quality_and_realism_come_from_the_settings(tmp_path, patch, monkeypatch):
    monkeypatch.setattr(writer, "default_quality", lambda: 20)
    monkeypatch.setattr(writer, "default_realism", lambda: 0.4)
    path = str(tmp_path / "a.pico")
    write_image(path, patch, {"rgb": True})
    header = pico_plugins.read_header(path)
    assert header.info()["pico"]["quality"] == 20
    assert header.realism == pytest.approx(0.4, abs=1 / 255)


@pytest.mark.parametrize(
    "sample, shape", [("coffee", (400, 600, 3)), ("astronaut", (512, 512, 3)), ("camera", (512, 512))]
)
def test_samples(sample, shape):
    if sample != "coffee":
        pytest.importorskip("skimage")
    ((data, options, kind),) = getattr(sample_data, sample)()
    assert (data.shape, kind) == (shape, "image")
    assert options["rgb"] == (len(shape) == 3)
    assert options["metadata"]["pico"]["quality"] == 75


def test_the_reader_is_found_without_torch_or_napari(path):
    code = f"""
import sys
from napari_plugin.reader import get_reader
assert get_reader({path!r})
assert not {{"torch", "napari", "onnxruntime", "numpy"}} & set(sys.modules), "too much is imported"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
