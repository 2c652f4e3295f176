"""In a real napari window, on a screen or under Xvfb."""

import os
import shutil

import numpy as np
import pytest

napari = pytest.importorskip("napari")
pytest.importorskip("pytestqt")
if not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
    pytest.skip("neither a screen nor Xvfb", allow_module_level=True)

import pico_plugins
from napari_plugin import reader


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def test_open_save_and_open_again(viewer, tmp_path, photo):
    path, copy = tmp_path / "photo.pico", tmp_path / "copy.pico"
    pico_plugins.encode_file(path, photo, 60)
    (layer,) = viewer.open(str(path), plugin=None)
    assert layer.rgb
    assert np.array_equal(layer.data, pico_plugins.decode(path))
    assert layer.metadata["pico"]["quality"] == 60
    assert layer.save(str(copy)) == [str(copy)]
    assert pico_plugins.read_header(copy).shape == photo.shape


def test_a_pyramid_decodes_what_is_in_view(viewer, qtbot, tmp_path, photo, monkeypatch):
    monkeypatch.setattr(reader, "LAZY_FROM", 1_000_000)
    path = tmp_path / "big.pico"
    pico_plugins.encode_file(path, np.tile(photo, (6, 6, 1)), 30, tile=504)
    (layer,) = viewer.open(str(path), plugin=None)
    assert layer.multiscale
    image = layer.data[0].image
    qtbot.waitUntil(lambda: image._thread is None, timeout=60_000)
    colour = pico_plugins.decode(path, scale=1 / 8).mean((0, 1))
    # What is on the screen is filled in, not gray for ever.
    qtbot.waitUntil(lambda: np.abs(layer._slice.image.raw.mean((0, 1)) - colour).max() < 5, timeout=20_000)
    full_scale = [key for key in image._cache if key[1] == 1]
    assert not full_scale
    viewer.camera.center = (0, 1200, 1800)
    viewer.camera.zoom = 2
    qtbot.waitUntil(lambda: layer.data_level == 0, timeout=20_000)
    decoded = [key for key in image._cache if key[1] == 1]
    assert 0 < len(decoded) < len(image.header.grid) / 2


def test_a_pyramid_is_drawn_in_every_window(make_napari_viewer, qtbot, tmp_path, photo, monkeypatch):
    monkeypatch.setattr(reader, "LAZY_FROM", 1_000_000)
    path = tmp_path / "big.pico"
    pico_plugins.encode_file(path, np.tile(photo, (6, 6, 1)), 30, tile=504)
    first, second = make_napari_viewer(show=True), make_napari_viewer(show=True)
    (layer,) = first.open(str(path), plugin=None)
    second.window._qt_window.activateWindow()
    colour = pico_plugins.decode(path, scale=1 / 8).mean((0, 1))
    qtbot.waitUntil(lambda: np.abs(layer._slice.image.raw.mean((0, 1)) - colour).max() < 5, timeout=60_000)
    assert np.ptp(layer.thumbnail[..., 0].astype(int)) > 100  # made when it was drawn last
    assert napari.current_viewer() is second


def test_open_a_stack_and_step_through_it(viewer, tmp_path, photo):
    paths = [tmp_path / name for name in ("a.pico", "b.pico")]
    for path, image in zip(paths, (photo, photo[::-1].copy()), strict=True):
        pico_plugins.encode_file(path, image, 60)
    (layer,) = viewer.open(paths, stack=True, plugin=None)
    assert (layer.name, layer.rgb, layer.data.shape) == ("a", True, (2, *photo.shape))
    for step, path in enumerate(paths):
        viewer.dims.set_current_step(0, step)
        assert np.array_equal(layer._slice.image.raw, pico_plugins.decode(path))


def test_open_without_a_plugin_names_it(viewer, tmp_path, photo):
    """``plugin`` is napari's own by default, which takes none of ours: its message says who does."""
    path = tmp_path / "photo.pico"
    pico_plugins.encode_file(path, photo, 60)
    with pytest.raises(ValueError, match="'pico-plugins'"):
        viewer.open(path)


def test_save_several_selected_layers(viewer, tmp_path, photo):
    for name in ("red", "green", "blue"):
        viewer.add_image(photo[..., 0], name=name)
    viewer.layers.selection = {viewer.layers["red"], viewer.layers["blue"]}
    written = viewer.layers.save(str(tmp_path / "photo.pico"), selected=True)
    assert written == [str(tmp_path / name) for name in ("photo-red.pico", "photo-blue.pico")]
    assert all(pico_plugins.read_header(path).shape == (400, 600) for path in written)


@pytest.mark.parametrize("key, shape", [("coffee", (400, 600, 3)), ("camera", (512, 512))])
def test_sample(viewer, key, shape):
    (layer,) = viewer.open_sample("pico-plugins", key)
    assert layer.data.shape == shape


def test_preferences_hold_for_saving_and_for_the_widget(viewer, tmp_path, photo):
    settings = pytest.importorskip("napari.settings")
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("napari before 0.9 has no settings of plugins")
    codec = settings.get_plugin_settings("pico-plugins").codec
    assert (codec.quality, codec.realism) == (75, 0)
    try:
        codec.quality, codec.realism = 30, 0.5
        layer = viewer.add_image(photo[:100, :100], rgb=True)
        layer.save(str(tmp_path / "a.pico"))
        codec.strict = True
        layer.save(str(tmp_path / "strict.pico"))
        _, widget = viewer.window.add_plugin_dock_widget("pico-plugins")
        assert (widget.quality.value(), widget.realism.value()) == (30, 50)
        widget.close()
    finally:
        codec.quality, codec.realism, codec.strict = 75, 0.0, False
    header = pico_plugins.read_header(tmp_path / "a.pico")
    assert header.info()["pico"]["quality"] == 30
    assert header.realism == pytest.approx(0.5, abs=1 / 255)
    assert (header.strict, pico_plugins.read_header(tmp_path / "strict.pico").strict) == (False, True)


def test_a_layer_that_cannot_be_saved_says_what_to_do(viewer, tmp_path):
    layer = viewer.add_image(np.zeros((20, 20), np.float32))
    with pytest.raises(TypeError, match="Convert it first"):
        layer.save(str(tmp_path / "a.pico"))
    assert not list(tmp_path.iterdir())


def test_menus_offer_the_widget(viewer):
    npe2 = pytest.importorskip("npe2")
    manager = npe2.PluginManager.instance()
    assert "pico-plugins.compare" in [item.command for item in manager.iter_menu("napari/layers/visualize")]
    assert "PICO: compress and compare" in [widget.display_name for widget in manager.iter_widgets()]


@pytest.fixture
def synthesised(monkeypatch):
    """Runs the command as the menu does, and gives the warnings that it shows."""
    from napari._app_model import get_app_model

    said = []
    monkeypatch.setattr(napari.utils.notifications, "show_warning", said.append)

    def run():
        get_app_model().commands.execute_command("pico-plugins.authenticity").result()
        return said

    return run


def test_the_map_lies_on_its_image(viewer, qtbot, tmp_path, photo, synthesised):
    path = tmp_path / "photo.pico"
    pico_plugins.encode_file(path, photo, 60)
    affine = [[1, 0.2, 10], [0, 1, 5], [0, 0, 1]]
    place = dict(scale=(0.5, 0.25), translate=(7, -3), rotate=30, shear=[0.2], affine=affine, units=("um", "um"))
    (layer,) = viewer.open(str(path), plugin=None, axis_labels=("y", "x"), **place)
    assert synthesised() == []
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    shown = viewer.layers[-1]
    for point in ((0, 0), (100, 200), (399, 17)):
        assert np.allclose(shown.data_to_world(point), layer.data_to_world(point))
    assert (shown.units, shown.axis_labels) == (layer.units, layer.axis_labels)


def test_there_is_no_map_of_what_is_not_one_file(viewer, tmp_path, photo, synthesised):
    """Of a stack, of pixels that have been replaced: they would lie under another picture's map."""
    paths = [tmp_path / name for name in ("a.pico", "b.pico")]
    for path in paths:
        pico_plugins.encode_file(path, photo, 60)
    viewer.open(paths, stack=True, plugin=None)
    assert len(synthesised()) == 1
    (layer,) = viewer.open(str(paths[0]), plugin=None)
    layer.data = photo[:100]
    assert len(synthesised()) == 2


def test_no_map_of_an_image_that_has_gone(viewer, qtbot, tmp_path, photo, synthesised, monkeypatch):
    path, done = tmp_path / "photo.pico", []
    pico_plugins.encode_file(path, photo, 60)

    def compute(path):
        chance = pico_plugins.authenticity_map(path)
        done.append(path)
        return chance

    monkeypatch.setattr("napari_plugin.authenticity_layer.authenticity_map", compute)
    viewer.open(str(path), plugin=None)
    synthesised()
    viewer.layers.clear()
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    qtbot.wait(500)
    assert not viewer.layers


def test_what_is_synthesised(viewer, qtbot, tmp_path, photo, monkeypatch):
    """By its command, as the menu runs it."""
    from napari._app_model import get_app_model

    commands = get_app_model().commands
    path = tmp_path / "photo.pico"
    pico_plugins.encode_file(path, photo, 60)
    viewer.open(str(path), plugin=None)
    commands.execute_command("pico-plugins.authenticity").result()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    layer = viewer.layers[-1]
    assert layer.name == "photo: synthesised"
    assert layer.data.shape == photo.shape[:2]
    assert np.array_equal(layer.data, pico_plugins.authenticity_map(path))
    viewer.layers.selection = {layer}
    said = []
    monkeypatch.setattr(napari.utils.notifications, "show_warning", said.append)
    commands.execute_command("pico-plugins.authenticity").result()
    assert said == ["Select an image layer that was opened from a .pico file first."]
