"""The compare widget, its sliders moved in a real napari window; and what it computes, without one."""

import os
import shutil
import threading

import numpy as np
import pytest

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
    assert np.array_equal(layer.data, decoded[:, 150:])
    assert layer.translate.tolist() == [0, 150]
    widget.view_choice.setCurrentText("Difference")
    for gain in (3, 10):
        widget.gain.setValue(gain)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, difference(photo, decoded, 10)), timeout=20_000)
    assert layer.translate.tolist() == [0, 0]
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
    right = np.s_[:, middle + 2 :]
    # Not equal: the textures begin at different columns, so a screen pixel between two may take either.
    assert np.abs(wiped - compressed)[right].mean() < 0.1 * np.abs(original - compressed)[right].mean()

    widget.view_choice.setCurrentText("Difference")
    qtbot.waitUntil(lambda: layer.data.shape[1] == 600, timeout=20_000)
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


def test_save(widget, done, tmp_path):
    done()
    widget.save_to(str(tmp_path / "a.pico"))
    assert (tmp_path / "a.pico").read_bytes() == widget._whole.data
    widget.save_to(str(tmp_path / "none" / "a.pico"))
    assert "Not saved" in widget.numbers.text()


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
