"""The compare widget, its sliders moved in a real napari window; and what it computes, without one."""

import os
import shutil

import numpy as np
import pytest

import pico_plugins

pytest.importorskip("scipy")

from napari_plugin.compare.coding import Cancelled, boxes, code, difference, psnr
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
    assert 0.8 < result.ms_ssim < 1
    part = code(photo, (64, 64, 128, 192), 50, 0.0)
    assert not part.whole
    assert part.pixels.shape == (128, 64, 3)
    assert part.ms_ssim is None
    assert psnr(photo, photo) == np.inf
    gray = photo[..., 0].copy()
    gray[:, 3:] //= 2
    assert psnr(photo[..., 0], gray) < 20


def test_a_report_can_end_the_work(photo):
    def report(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        code(photo, (0, 0, 600, 400), 50, 0.0, report=report)


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
    assert [result.whole for result in seen] == [False, True]


def test_views(widget, done, photo, qtbot):
    done()
    decoded = widget._whole.pixels
    widget.view_choice.setCurrentText("Curtain")
    widget.curtain.setValue(250)
    layer = widget.viewer.layers["PICO"]
    assert np.array_equal(layer.data, decoded[:, 150:])
    assert layer.translate.tolist() == [0, 150]
    widget.view_choice.setCurrentText("Difference")
    widget.gain.setValue(10)
    assert np.array_equal(layer.data, difference(photo, decoded, 10))
    assert layer.translate.tolist() == [0, 0]
    widget.view_choice.setCurrentText("Compressed")
    assert np.array_equal(layer.data, decoded)
    widget.flicker()
    assert not layer.visible
    widget.flicker()
    assert layer.visible


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
