"""The compare widget, its sliders moved in a real napari window; and what it computes, without one."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pico_plugins

pytest.importorskip("scipy")

from napari_plugin.compare.coding import (
    Cancelled,
    boxes,
    code,
    difference,
    psnr,
    with_realism,
    with_similarity,
)
from napari_plugin.compare.similarity import ms_ssim


def test_similarity_is_that_of_pytorch_msssim(photo):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("pytorch_msssim").ms_ssim
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 12, photo.shape), 0, 255).astype(np.uint8)
    a, b = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() for image in (photo, noisy))
    assert ms_ssim(photo, noisy) == pytest.approx(reference(a, b, data_range=255).item(), abs=2e-4)
    assert ms_ssim(photo[..., 0], photo[..., 0]) == pytest.approx(1)


def test_code_measures_what_it_made(photo):
    result = code(photo, (0, 0, 600, 400), 50, 0.0)
    assert result.whole
    assert np.array_equal(result.pixels, pico_plugins.decode(result.data))
    assert result.data == pico_plugins.encode(photo, 50)
    assert result.bits_per_pixel == 8 * len(result.data) / 240_000
    assert 20 < result.psnr < 50
    assert result.ms_ssim is None
    assert 0.8 < with_similarity(result, photo, lambda done, total: None).ms_ssim < 1
    part = code(photo, (64, 64, 128, 192), 50, 0.0)
    assert not part.whole
    assert part.pixels.shape == (128, 64, 3)
    assert with_similarity(part, photo, lambda done, total: None) is None  # too small to have one
    assert psnr(photo, photo) == np.inf
    gray = photo[..., 0].copy()
    gray[:, 3:] //= 2
    assert psnr(photo[..., 0], gray) < 20


def test_a_report_can_end_the_work(photo):
    def report(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        code(photo, (0, 0, 600, 400), 50, 0.0, report=report)
    with pytest.raises(Cancelled):
        ms_ssim(photo, photo, report)


def test_similarity_reports_how_far_it_is(photo):
    seen = []
    ms_ssim(photo, photo, lambda done, total: seen.append(done / total))
    assert len(seen) == 3 * 5 * 5
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] < 1


def test_realism_of_a_finished_file(tiled_file):
    """Changing it codes nothing anew: all but one byte of the header and its checksum stay."""
    changed = with_realism(tiled_file, 0.6)
    header, before = pico_plugins.read_header(changed), pico_plugins.read_header(tiled_file)
    assert header.realism == pytest.approx(0.6, abs=1 / 255)
    assert (header.metadata, header.shape, header.level) == (before.metadata, before.shape, before.level)
    assert len(changed) == len(tiled_file)
    assert np.array_equal(pico_plugins.decode(changed), pico_plugins.decode(tiled_file, realism=header.realism))


def test_what_is_in_view_comes_first():
    assert list(boxes((1000, 2000, 3), (70, 100, 300, 200))) == [(64, 64, 320, 256), (0, 0, 2000, 1000)]
    assert list(boxes((1000, 2000, 3), (0, 0, 2000, 1000))) == [(0, 0, 2000, 1000)]
    assert list(boxes((1000, 2000, 3), (50, 50, 40, 40))) == [(0, 0, 2000, 1000)]


def test_difference_is_gray_where_nothing_changed():
    a = np.full((2, 2, 4), 100, np.uint8)
    b = a.copy()
    b[0, 0, 0] = 110
    shown = difference(a, b, 5)
    assert shown.shape == (2, 2, 3)
    assert shown[0, 0].tolist() == [178, 128, 128]
    assert (shown[1] == 128).all()


@pytest.fixture
def widget(request, photo):
    pytest.importorskip("napari")
    pytest.importorskip("pytestqt")
    if not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
        pytest.skip("neither a screen nor Xvfb")
    viewer = request.getfixturevalue("make_napari_viewer")(show=True)
    viewer.add_image(photo, name="photo", rgb=True)
    _, widget = viewer.window.add_plugin_dock_widget("pico-plugins")
    yield widget
    widget.close()


@pytest.fixture
def done(qtbot, widget):
    """Waits until the widget has coded the whole image at its present sliders."""

    def wait() -> None:
        def ready() -> None:
            assert widget._whole is not None
            assert widget._whole.quality == widget.quality.value()
            assert not widget._timer.isActive()
            assert not widget.cancel_button.isVisible()
            assert "…" not in widget.numbers.text()

        qtbot.waitUntil(ready, timeout=60_000)

    return wait


def test_quality_slider(widget, done, photo):
    done()
    for quality in (20, 90):
        widget.quality.setValue(quality)
        done()
        expected = pico_plugins.encode(photo, quality)
        assert np.array_equal(widget.viewer.layers["PICO"].data, pico_plugins.decode(expected))
        assert f"{len(expected):,} bytes" in widget.numbers.text()
        assert "PSNR" in widget.numbers.text()
        assert "MS-SSIM" in widget.numbers.text()
    assert sorted(widget.plot.points) == [20, 75, 90]
    rates = [widget.plot.points[quality] for quality in (20, 75, 90)]
    assert rates == sorted(rates)


def test_what_is_in_view_is_shown_before_the_whole(widget, done, qtbot):
    done()
    seen = []
    widget.worker.produced.connect(lambda job, result: seen.append(result))
    widget.viewer.camera.center, widget.viewer.camera.zoom = (0, 200, 300), 12
    qtbot.waitUntil(lambda: np.ptp(widget._source.corner_pixels[:, 1]) < 300, timeout=10_000)
    widget.quality.setValue(30)
    done()
    assert [(result.whole, result.ms_ssim is None) for result in seen] == [(False, True), (True, True), (True, False)]


def test_views(widget, done, photo, qtbot):
    done()
    decoded = widget._whole.pixels
    widget.view_choice.setCurrentText("Curtain")
    widget.curtain.setValue(250)
    layer = widget.viewer.layers["PICO"]
    assert np.array_equal(layer.data, np.concatenate([photo[:, :150], decoded[:, 150:]], axis=1))
    widget.view_choice.setCurrentText("Difference")
    for gain in (3, 10):
        widget.gain.setValue(gain)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, difference(photo, decoded, 10)), timeout=20_000)
    widget.view_choice.setCurrentText("Compressed")
    assert np.array_equal(layer.data, decoded)


def test_what_is_on_the_screen(widget, done, qtbot):
    """The canvas itself: left of the curtain the original, right of it what was decoded; and the key that flickers."""
    viewer = widget.viewer
    widget.quality.setValue(1)
    done()
    layer = viewer.layers["PICO"]
    viewer.camera.center, viewer.camera.zoom = (0, 200, 300), 3.3

    def canvas() -> np.ndarray:
        return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    compressed = canvas()
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, "f")
    assert not layer.visible
    original = canvas()
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, "f")
    assert layer.visible
    assert np.array_equal(canvas(), compressed)
    assert np.abs(compressed - original).mean() > 2

    widget.view_choice.setCurrentText("Curtain")
    widget.curtain.setValue(500)
    wiped, middle = canvas(), original.shape[1] // 2  # where the view's centre is the image's
    assert np.array_equal(wiped[:, : middle - 2], original[:, : middle - 2])
    assert np.array_equal(wiped[:, middle + 2 :], compressed[:, middle + 2 :])

    widget.view_choice.setCurrentText("Difference")
    expected = difference(widget._source.data, widget._whole.pixels, widget.gain.value())
    qtbot.waitUntil(lambda: np.array_equal(layer.data, expected), timeout=20_000)
    row, column = original.shape[0] // 2, middle
    gray = canvas()[row - 20 : row + 20, column - 20 : column + 20]
    assert np.abs(gray.mean((0, 1)) - 128).max() < 40


def test_the_window_computes_nothing(widget, done, monkeypatch, qtbot):
    done()
    places = []

    def noted(function):
        def wrapper(*arguments, **options):
            places.append((function.__name__, threading.current_thread() is threading.main_thread()))
            return function(*arguments, **options)

        return wrapper

    for function in (code, with_similarity, difference):
        monkeypatch.setattr(f"napari_plugin.compare.widget.{function.__name__}", noted(function))
    widget.view_choice.setCurrentText("Difference")
    widget.quality.setValue(40)
    done()
    qtbot.waitUntil(lambda: sum(name == "difference" for name, _ in places) >= 2, timeout=20_000)
    assert {name for name, _ in places} == {"code", "with_similarity", "difference"}
    assert not any(in_window for _, in_window in places)


def test_many_moves_are_one_job_with_progress(widget, done):
    done()
    job, seen = widget.worker.job, []
    widget.worker.progressed.connect(lambda job, done, total: seen.append((job, widget.progress.isVisible())))
    for quality in range(30, 60):
        widget.quality.setValue(quality)
    done()
    assert widget._whole.quality == 59
    assert widget.worker.job == job + 1
    assert len(seen) > 10
    assert set(seen) == {(job + 1, True)}


def test_realism_slider(widget, done, monkeypatch, tmp_path):
    """The file is not encoded again, and what is saved has the realism that is shown."""
    widget.quality.setValue(60)
    done()
    assert np.array_equal(widget.viewer.layers["PICO"].data, pico_plugins.decode(widget._whole.data, realism=0.0))
    encoded = widget._whole.data
    monkeypatch.setattr("napari_plugin.compare.coding.encode", None)
    widget.realism.setValue(80)
    done()
    expected = pico_plugins.decode(encoded, realism=0.8)
    assert not np.array_equal(expected, pico_plugins.decode(encoded, realism=0.0))
    assert np.array_equal(widget.viewer.layers["PICO"].data, expected)
    widget.save_to(str(tmp_path / "a.pico"))
    assert pico_plugins.read_header(tmp_path / "a.pico").realism == pytest.approx(0.8, abs=1 / 255)
    assert np.array_equal(pico_plugins.decode(tmp_path / "a.pico"), expected)


def test_realism_moved_just_before_saving_is_in_the_file(widget, done, tmp_path):
    done()
    widget.realism.setValue(40)  # not yet decoded
    widget.save_to(str(tmp_path / "a.pico"))
    assert pico_plugins.read_header(tmp_path / "a.pico").realism == pytest.approx(0.4, abs=1 / 255)


def test_other_pixels_in_the_layer_are_coded_anew(widget, done, photo, tmp_path):
    done()
    widget.viewer.layers["photo"].data = photo[::-1].copy()
    assert not widget.save_button.isEnabled()
    widget.realism.setValue(40)
    done()
    expected = pico_plugins.encode(photo[::-1], widget.quality.value(), realism=0.4)
    assert np.array_equal(widget.viewer.layers["PICO"].data, pico_plugins.decode(expected))
    widget.save_to(str(tmp_path / "a.pico"))
    assert (tmp_path / "a.pico").read_bytes() == expected


def test_the_plot_is_of_one_realism(widget, done, monkeypatch):
    done()
    cleared = []
    monkeypatch.setattr(widget.plot, "clear", lambda: cleared.append(widget.realism.value()))
    widget.quality.setValue(30)
    assert not cleared
    widget.realism.setValue(50)
    assert cleared == [50]


def test_cancel_stops_and_changes_nothing(widget, done):
    done()
    before = widget.viewer.layers["PICO"].data.copy()
    widget.quality.setValue(10)
    widget.compress()
    assert widget.cancel_button.isVisible()
    widget.cancel_button.click()
    assert not widget.cancel_button.isVisible()
    assert np.array_equal(widget.viewer.layers["PICO"].data, before)
    assert "Cancelled" in widget.numbers.text() and "bytes" not in widget.numbers.text()


def test_save(widget, done, tmp_path):
    done()
    widget.save_to(str(tmp_path / "a.pico"))
    assert (tmp_path / "a.pico").read_bytes() == widget._whole.data
    widget.save_to(str(tmp_path / "none" / "a.pico"))
    assert "Not saved" in widget.numbers.text()


@pytest.fixture
def show(qtbot, widget):
    """Chooses a view and waits until it is in the result layer."""

    def wait(view: str) -> None:
        widget.view_choice.setCurrentText(view)
        original, picture = widget._original.pixels, widget._whole.pixels
        column = widget.curtain.value() * picture.shape[1] // 1000
        expected = {
            "Compressed": picture,
            "Curtain": np.concatenate([original[:, :column], picture[:, column:]], axis=1),
            "Difference": difference(original, picture, widget.gain.value()),
        }
        qtbot.waitUntil(lambda: np.array_equal(widget._result.data, expected[view]), timeout=20_000)

    return wait


VIEWS = ("Compressed", "Curtain", "Difference")


def choose(widget, layer) -> None:
    widget.layer_choice.setCurrentIndex([widget.layer_choice.itemData(i) for i in range(2)].index(layer))


def test_the_result_lies_on_its_original_in_every_view(widget, done, show, photo):
    affine = [[1, 0.2, 10], [0, 1, 5], [0, 0, 1]]
    place = dict(scale=(0.5, 0.25), translate=(7, -3), rotate=30, shear=[0.2], affine=affine, units=("um", "um"))
    layer = widget.viewer.add_image(photo[..., 0], axis_labels=("y", "x"), **place)
    choose(widget, layer)
    done()

    def check() -> None:
        result = widget._result
        assert result.data.shape[:2] == layer.data.shape
        for point in ((0, 0), (100, 200), (399, 17)):
            assert np.allclose(result.data_to_world(point), layer.data_to_world(point))
        assert (result.units, result.axis_labels) == (layer.units, layer.axis_labels)

    for view in VIEWS:
        show(view)
        check()
    layer.rotate, layer.translate, layer.units = 10, (1, 2), ("nm", "nm")  # moved while it is looked at
    check()
    widget._result.scale = (3, 3)
    check()


def test_the_result_is_shown_as_the_original_is(widget, done, show, photo):
    layer = widget.viewer.add_image(photo[..., 0], contrast_limits=(40, 90), colormap="viridis", gamma=0.7)
    layer.interpolation2d = "linear"
    choose(widget, layer)
    done()

    def looks(layer):
        return list(layer.contrast_limits), layer.colormap.name, layer.gamma, layer.interpolation2d

    plain = ([0, 255], "gray", 1, "nearest")
    for view in ("Compressed", "Curtain", "Difference", "Curtain", "Difference", "Compressed"):
        show(view)
        assert looks(widget._result) == (plain if view == "Difference" else looks(layer))
    assert looks(layer) == ([40, 90], "viridis", 0.7, "linear")
    layer.contrast_limits, layer.colormap = (10, 20), "red"
    assert looks(widget._result) == looks(layer)
    widget._result.gamma = 1.5  # the layer that is selected
    assert looks(widget._result) == looks(layer) == ([10, 20], "red", 1.5, "linear")
    show("Difference")
    layer.contrast_limits = (0, 100)
    widget._result.gamma = 1.2
    assert (list(widget._result.contrast_limits), layer.gamma) == ([0, 255], 1.5)


@pytest.mark.parametrize("view", VIEWS)
def test_saving_the_result_saves_the_compressed_picture(widget, done, show, photo, tmp_path, view):
    """In whatever view, and as .pico the very file whose size is shown."""
    widget.quality.setValue(20)
    widget.realism.setValue(50)
    done()
    show(view)
    layer = widget.viewer.layers["PICO"]
    assert layer.save(str(tmp_path / "a.pico")) == [str(tmp_path / "a.pico")]
    assert (tmp_path / "a.pico").read_bytes() == widget._whole.data
    assert np.array_equal(pico_plugins.decode(tmp_path / "a.pico"), widget._whole.pixels)
    layer.save(str(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), widget._whole.pixels)
    widget.viewer.layers.save(str(tmp_path / "all.pico"))
    assert (tmp_path / "all-PICO.pico").read_bytes() == widget._whole.data


def test_a_picture_that_is_not_complete_is_not_saved(widget, done, tmp_path):
    done()
    widget.quality.setValue(10)
    widget.compress()
    assert not widget.save_button.isEnabled()
    for name in ("a.pico", "a.png"):
        with pytest.raises(RuntimeError, match="not complete yet"):
            widget.viewer.layers["PICO"].save(str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_changed_copy_of_the_result_is_not_saved_as_its_file(widget, done, tmp_path):
    done()
    data, state, kind = widget.viewer.layers["PICO"].as_layer_data_tuple()
    copy = widget.viewer._add_layer_from_data(255 - data, state, kind)[0]
    copy.save(str(tmp_path / "a.pico"))
    assert np.abs(pico_plugins.decode(tmp_path / "a.pico") - (255.0 - data)).mean() < 10


class Lazy:
    """An array that notes on which threads all of it is computed."""

    dtype, threads = np.dtype(np.uint8), ()

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.ndim, self.size = pixels, pixels.shape, pixels.ndim, pixels.size

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, key):
        return self.pixels[key]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        self.threads += (threading.current_thread(),)
        return self.pixels.copy()


def test_a_lazy_layer_is_computed_once_and_not_by_the_window(widget, done, show, photo):
    lazy = Lazy(photo[..., 0])
    layer = widget.viewer.add_image(lazy, contrast_limits=(0, 255), name="lazy", rgb=False)
    before = lazy.threads  # what napari itself does to show it
    choose(widget, layer)
    done()
    widget.quality.setValue(30)
    done()
    for view in VIEWS:
        show(view)
    computed = lazy.threads[len(before) :]
    assert len(computed) == 1
    assert computed[0] is not threading.main_thread()
    layer.data = Lazy(photo[::-1, ..., 0])
    done()
    assert np.array_equal(widget._whole.data, pico_plugins.encode(photo[::-1, ..., 0], 30))


def test_a_removed_original_takes_its_result_along(widget, done, qtbot, photo):
    viewer = widget.viewer
    done()
    viewer.layers.remove("photo")
    qtbot.waitUntil(lambda: not viewer.layers, timeout=5000)
    assert widget._result is None
    viewer.add_image(photo, name="photo")
    done()
    assert [layer.name for layer in viewer.layers] == ["photo", "PICO"]
    viewer.layers.remove("PICO")  # comes back with the next quality
    widget.quality.setValue(30)
    done()
    assert [layer.name for layer in viewer.layers] == ["photo", "PICO"]


@pytest.mark.parametrize("result_below", [False, True])
@pytest.mark.parametrize("way", ["remove_selected", "clear"])
def test_original_and_result_removed_together(widget, done, qtbot, way, result_below):
    """napari's loops do not bear it if a layer takes another along at once."""
    viewer = widget.viewer
    done()
    if result_below:
        viewer.layers.move(1, 0)
    viewer.layers.select_all()
    getattr(viewer.layers, way)()
    qtbot.waitUntil(lambda: not viewer.layers, timeout=5000)


def test_it_begins_with_the_active_layer(widget, photo):
    from napari_plugin.compare.widget import CompareWidget

    viewer = widget.viewer
    widget.close()
    for name in ("a", "b", "c"):
        viewer.add_image(photo[..., 0], name=name)
    viewer.layers.selection = {viewer.layers["b"]}
    other = CompareWidget(viewer)
    assert other.layer_choice.currentText() == other._source.name == "b"
    other.close()


def test_another_layer_replaces_the_result_of_the_first(widget, done, qtbot, photo):
    done()
    first = widget._result
    layer = widget.viewer.add_image(photo[:200, :300, 0], name="gray")
    choose(widget, layer)
    assert widget.numbers.text() == "…"  # no numbers of another picture
    qtbot.waitUntil(lambda: first not in widget.viewer.layers, timeout=5000)
    done()
    assert [layer.name for layer in widget.viewer.layers] == ["photo", "gray", "PICO"]


def test_the_result_is_just_above_its_original(widget, done, photo):
    done()
    widget.viewer.add_points([(1, 1)], name="marks")
    widget.viewer.layers.remove("PICO")
    widget.quality.setValue(30)
    done()
    assert [layer.name for layer in widget.viewer.layers] == ["photo", "PICO", "marks"]


def test_names_follow(widget, done, monkeypatch):
    done()
    whole = widget._whole
    widget.viewer.layers["photo"].name = "renamed"
    assert widget.layer_choice.currentText() == "renamed"
    assert widget._whole is whole  # nothing is coded again
    proposed = []
    exec_ = "napari_plugin.compare.widget.QFileDialog.exec"
    monkeypatch.setattr(exec_, lambda dialog: proposed.extend(dialog.selectedFiles()))
    widget.save()
    widget.viewer.layers["renamed"].name = "a/b: c"
    widget.save()
    assert [Path(path).name for path in proposed] == ["renamed.pico", "a_b_ c.pico"]


def test_save_as_asks_before_it_replaces_a_file(widget, done, monkeypatch, tmp_path, qtbot):
    """Also one whose suffix was left out; and it is no error if the picture has gone meanwhile."""
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication, QLineEdit, QMessageBox

    monkeypatch.chdir(tmp_path)
    done()
    (tmp_path / "photo.pico").write_bytes(b"somebody's")
    asked = []

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QMessageBox):
            asked.append(dialog.text())
            dialog.button(QMessageBox.StandardButton.No).click()
            QTimer.singleShot(0, QApplication.activeModalWidget().reject)
        else:
            dialog.findChild(QLineEdit).setText("photo")
            QTimer.singleShot(200, answer)
            dialog.accept()

    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    QTimer.singleShot(200, answer)
    widget.save()
    assert len(asked) == 1 and "photo.pico" in asked[0]
    assert (tmp_path / "photo.pico").read_bytes() == b"somebody's"
    widget._set_whole(None)
    widget.save_to(str(tmp_path / "b.pico"))
    assert "Not saved" in widget.numbers.text()
    assert not (tmp_path / "b.pico").exists()


def test_a_layer_that_turns_into_one_that_the_codec_does_not_take(widget, done, qtbot, photo):
    done()
    widget.viewer.layers["photo"].data = photo / 255
    assert widget.layer_choice.count() == 0
    assert "No layer" in widget.numbers.text()
    qtbot.waitUntil(lambda: [layer.name for layer in widget.viewer.layers] == ["photo"], timeout=5000)


def test_what_no_reader_accepts_is_not_offered(widget, done):
    """Above all not a lazy layer that does not fit into memory."""
    from napari.layers import Image as ImageLayer

    from napari_plugin.compare.widget import _codable

    for side, taken in ((20_000, True), (30_000, False)):
        assert _codable(ImageLayer(np.broadcast_to(np.uint8(7), (side, side)), contrast_limits=(0, 255))) == taken


def test_metadata_that_cannot_be_stored_is_said(widget, done, qtbot, photo):
    layer = widget.viewer.add_image(photo[..., 0], metadata={"cicp": b"abc"}, name="odd")
    choose(widget, layer)
    qtbot.waitUntil(lambda: "cicp must be 4 bytes" in widget.numbers.text(), timeout=20_000)
    assert not widget.save_button.isEnabled()


@pytest.mark.parametrize("complete", [True, False])
def test_a_widget_whose_dock_is_closed_rests(widget, done, show, qtbot, photo, complete):
    """By the x of the dock, which closes nothing."""
    done()
    show("Difference")
    viewer, picture, layer = widget.viewer, widget._whole.pixels, widget._result
    if not complete:
        widget.quality.setValue(10)
        widget.compress()
    widget.parent().destroyOnClose()
    job = widget.worker.job
    viewer.add_image(photo[..., 0], name="later")
    qtbot.wait(500)
    assert widget.worker.job == job
    assert not widget._timer.isActive()
    if complete:
        assert [layer.name for layer in viewer.layers] == ["photo", "PICO", "later"]
        assert np.array_equal(layer.data, picture)
        viewer.layers.remove("photo")
        qtbot.wait(100)
        assert layer in viewer.layers
    else:
        assert [layer.name for layer in viewer.layers] == ["photo", "later"]


def test_quitting_does_not_wait_for_the_worker():
    pytest.importorskip("qtpy")
    code = """
from qtpy.QtCore import QCoreApplication, QTimer
from napari_plugin.compare.worker import Worker

def endless(report):
    while True:
        report(0, 1)
        yield

app = QCoreApplication([])
worker = Worker()
worker.produced.connect(lambda job, result: app.quit())
worker.start(endless)
app.exec()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_layers_come_and_go(widget, done, photo):
    done()
    viewer = widget.viewer
    viewer.add_image(photo.astype(np.uint16), name="deep", rgb=True)
    viewer.add_image(photo[..., 0], name="gray")
    assert [widget.layer_choice.itemText(i) for i in range(widget.layer_choice.count())] == ["photo", "gray"]
    widget.layer_choice.setCurrentText("gray")
    done()
    assert widget._whole.pixels.shape == photo.shape[:2]
    assert viewer.layers["PICO"].rgb is False
    viewer.layers.remove("gray")
    assert widget.layer_choice.currentText() == "photo"
    viewer.layers.remove("photo")
    assert "No layer" in widget.numbers.text()
