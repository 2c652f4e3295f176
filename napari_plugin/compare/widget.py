"""The widget: choose a layer, move the sliders, see what the codec makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from pico_plugins.files import writing

from ..settings import default_quality, default_realism
from ..writer import kept_metadata
from .coding import Box, Result, boxes, code, difference, with_realism, with_similarity
from .plot import RatePlot
from .similarity import MIN_SIDE
from .worker import Report, Worker

RESULT = "PICO"
VIEWS = ("Compressed", "Curtain", "Difference")
DEBOUNCE_MS = 150
WIDTH = 300
"""At least so wide, in pixels: the title fits, and on a laptop's screen more than half is left for the image."""
FLICKER_KEY = "F"


class CompareWidget(QWidget):
    """Shows a layer after the codec, in a layer of its own above it."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer, self.plot = napari_viewer, RatePlot()
        self.worker, self.painter = Worker(), Worker()  # codes and measures; makes the difference view
        self._shown: np.ndarray | None = None  # the original, replaced by decoded pixels as far as they are known
        self._whole: Result | None = None
        self._source: Image | None = None
        self._result: Image | None = None

        self.layer_choice = QComboBox()
        self.quality = _slider(1, 100, default_quality())
        self.realism = _slider(0, 100, round(100 * default_realism()))
        self.view_choice = QComboBox()
        self.view_choice.addItems(VIEWS)
        self.curtain, self.gain = _slider(0, 1000, 500), _slider(1, 20, 4)
        self.numbers, self.progress = QLabel("Choose an image layer"), QProgressBar()
        self.numbers.setWordWrap(True)
        self.cancel_button, self.save_button = QPushButton("Cancel"), QPushButton("Save as…")
        self._lay_out()

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self.compress)
        self._connect()
        self._list_layers()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Layer", self.layer_choice)
        form.addRow("Quality", _with_value(self.quality, "{}"))
        form.addRow("Realism", _with_value(self.realism, "{}%"))
        form.addRow("View", self.view_choice)
        self._curtain_row, self._gain_row = _with_value(self.curtain, ""), _with_value(self.gain, "{}x")
        form.addRow("Wipe", self._curtain_row)
        form.addRow("Gain", self._gain_row)
        self._form = form
        running = QHBoxLayout()
        running.addWidget(self.progress, 1)
        running.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(running)
        layout.addWidget(self.numbers)
        layout.addWidget(self.plot, 1)
        hint = QLabel(f"Key {FLICKER_KEY}: flicker between original and compressed")
        hint.setWordWrap(True)
        layout.addWidget(hint)
        layout.addWidget(self.save_button)
        self.setMinimumWidth(WIDTH)
        self._set_running(False)
        self._change_view()

    def _connect(self) -> None:
        self.layer_choice.currentIndexChanged.connect(self._choose_layer)
        for slider in (self.quality, self.realism):
            slider.valueChanged.connect(self._timer.start)
        self.realism.valueChanged.connect(lambda value: self.plot.clear())  # one line is of one realism
        self.view_choice.currentIndexChanged.connect(self._change_view)
        for slider in (self.curtain, self.gain):
            slider.valueChanged.connect(self._draw)
        self.cancel_button.clicked.connect(self.cancel)
        self.save_button.clicked.connect(self.save)
        self.worker.produced.connect(self._take)
        self.worker.progressed.connect(self._show_progress)
        self.worker.finished.connect(self._finish)
        self.painter.produced.connect(self._paint)
        self.viewer.layers.events.inserted.connect(self._list_layers)
        self.viewer.layers.events.removed.connect(self._list_layers)
        self.viewer.bind_key(FLICKER_KEY, self.flicker, overwrite=True)

    def _list_layers(self, event: object = None) -> None:
        """Offer the layers that the codec can take; keep the present choice if it is still there."""
        layers = [layer for layer in self.viewer.layers if _codable(layer) and layer is not self._result]
        present = self._source if self._source in layers else None
        self.layer_choice.blockSignals(True)
        self.layer_choice.clear()
        for layer in layers:
            self.layer_choice.addItem(layer.name, layer)
        self.layer_choice.setCurrentIndex(layers.index(present) if present else 0 if layers else -1)
        self.layer_choice.blockSignals(False)
        if present is None:
            self._choose_layer()

    def _choose_layer(self, index: int = 0) -> None:
        self._follow(self.layer_choice.currentData())
        self._begin_anew()
        if self._source is None:
            self.numbers.setText(
                "No layer to compress. It takes 2-D images of 8 bits, gray, RGB or RGBA; not the pyramid of a large "
                ".pico file, which is compressed already"
            )

    def _follow(self, source: Image | None) -> None:
        """``source`` is the layer from now on; its pixels may be replaced."""
        if self._source is not None:
            self._source.events.data.disconnect(self._begin_anew)
        self._source = source
        if source is not None:
            source.events.data.connect(self._begin_anew)

    def _begin_anew(self, event: object = None) -> None:
        """The layer, or what is in it, is another: nothing that is known holds for it."""
        self.cancel()
        self._whole, self._shown = None, None
        self.plot.clear()
        self.save_button.setEnabled(False)
        if self._source is not None:
            self._timer.start()

    def _visible(self) -> Box:
        (top, left), (bottom, right) = self._source.corner_pixels[:, -2:].astype(int)
        return int(left), int(top), int(right) + 1, int(bottom) + 1

    def compress(self) -> None:
        """Start coding what is in view, then everything, at the present sliders."""
        if self._source is None:
            return
        pixels, quality, realism = np.asarray(self._source.data), self.quality.value(), self.realism.value() / 100
        visible, metadata = self._visible(), kept_metadata(self._source.metadata)
        known = self._whole.data if self._whole and self._whole.quality == quality else None

        def work(report: Report) -> Iterator[Result]:
            todo = [(0, 0, pixels.shape[1], pixels.shape[0])] if known else boxes(pixels.shape, visible)
            for box in todo:
                result = code(pixels, box, quality, realism, metadata=metadata, known=known, report=report)
                yield result
            if measured := with_similarity(result, pixels, report):
                yield measured

        if known is None:  # what could be saved is no longer what the sliders ask for
            self._whole = None
            self.save_button.setEnabled(False)
        self._set_running(True)
        self.worker.start(work)

    def cancel(self) -> None:
        """Stop what is running."""
        self._timer.stop()
        self.worker.cancel()
        self.painter.cancel()
        self._set_running(False)

    def _take(self, job: int, result: Result) -> None:
        if job != self.worker.job or self._source is None:
            return
        what = "Image" if result.whole else "Preview of what is in view"
        if min(self._source.data.shape[:2]) < MIN_SIDE:
            similarity = f"needs {MIN_SIDE} x {MIN_SIDE} pixels"
        else:
            similarity = "…" if result.ms_ssim is None else f"{result.ms_ssim:.4f}"
        self.numbers.setText(
            f"{what}: {len(result.data):,} bytes\n{result.bits_per_pixel:.3f} bits per pixel\n"
            f"PSNR {result.psnr:.2f} dB\nMS-SSIM {similarity}"
        )
        if result.ms_ssim is not None:  # pixels and the rest have been shown before
            return
        if self._shown is None:
            self._shown = np.array(self._source.data)
        left, top, right, bottom = result.box
        self._shown[top:bottom, left:right] = result.pixels
        if result.whole:
            self._whole = result
            self.plot.add(result.quality, result.bits_per_pixel, result.psnr)
            self.save_button.setEnabled(True)
        self._draw()

    def _show_progress(self, job: int, done: int, total: int) -> None:
        if job == self.worker.job:
            self.progress.setRange(0, total)
            self.progress.setValue(done)

    def _finish(self, job: int, problem: str) -> None:
        if job == self.worker.job:
            self._set_running(False)
            if problem:
                self.numbers.setText(problem)

    def _set_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.cancel_button.setVisible(running)

    def _change_view(self, index: int = 0) -> None:
        view = self.view_choice.currentText()
        self._form.setRowVisible(self._curtain_row, view == "Curtain")
        self._form.setRowVisible(self._gain_row, view == "Difference")
        self._draw()

    def _result_layer(self, pixels: np.ndarray) -> Image:
        source = self._source
        if self._result in self.viewer.layers:
            if self._result.rgb == (pixels.ndim == 3):
                self._result.data = pixels
                return self._result
            self.viewer.layers.remove(self._result)
        limits = None if pixels.ndim == 3 else (0, 255)
        self._result = Image(pixels, name=RESULT, rgb=pixels.ndim == 3, contrast_limits=limits, scale=source.scale)
        return self.viewer.add_layer(self._result)

    def _draw(self, value: int = 0) -> None:
        """Put into the result layer what the chosen view shows."""
        if self._shown is None or self._source is None:
            return
        view, pixels = self.view_choice.currentText(), self._shown
        self.painter.cancel()
        if view == "Difference":  # takes too long for the window to wait: _paint shows it
            original, gain = np.asarray(self._source.data), self.gain.value()
            self.painter.start(lambda report: iter([difference(original, pixels, gain)]))
        elif view == "Curtain":  # the original stays visible to the left of it
            column = min(self.curtain.value() * pixels.shape[1] // 1000, pixels.shape[1] - 1)
            self._show(pixels[:, column:], column)
        else:
            self._show(pixels)

    def _paint(self, job: int, pixels: np.ndarray) -> None:
        if job == self.painter.job and self._source is not None:
            self._show(pixels)

    def _show(self, pixels: np.ndarray, column: int = 0) -> None:
        """``pixels`` as the result layer, beginning at ``column`` of the original."""
        layer = self._result_layer(pixels)
        layer.scale = self._source.scale
        layer.translate = self._source.translate + self._source.scale * np.array([0, column])

    def flicker(self, viewer: napari.Viewer | None = None) -> None:
        """Show or hide the result."""
        if self._result in self.viewer.layers:
            self._result.visible = not self._result.visible

    def save(self) -> None:
        """Ask for a path and write the whole image's file there."""
        if self._whole is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save as", f"{self._source.name}.pico", "PICO (*.pico)")
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Write the file whose size is shown. Problems are shown, not raised."""
        path = path if path.lower().endswith(".pico") else f"{path}.pico"
        try:
            data = with_realism(self._whole.data, self.realism.value() / 100)
            with writing(path) as file:
                file.write(data)
            self.numbers.setText(f"Saved {path}: {len(data):,} bytes")
        except OSError as error:
            self.numbers.setText(f"Not saved: {error}")

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        self.worker.close()
        self.painter.close()
        self._follow(None)
        self.viewer.layers.events.inserted.disconnect(self._list_layers)
        self.viewer.layers.events.removed.disconnect(self._list_layers)
        self.viewer.bind_key(FLICKER_KEY, None, overwrite=True)
        super().closeEvent(event)


def _codable(layer: object) -> bool:
    """Whether it is a plain 2-D image of 8 bits; a pyramid would have to be decoded whole."""
    return isinstance(layer, Image) and not layer.multiscale and layer.ndim == 2 and layer.data.dtype == np.uint8


def _slider(low: int, high: int, value: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setValue(value)
    return slider


def _with_value(slider: QSlider, form: str) -> QWidget:
    """The slider with its value beside it."""
    row, label = QWidget(), QLabel(form.format(slider.value()))
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(slider, 1)
    layout.addWidget(label)
    slider.valueChanged.connect(lambda value: label.setText(form.format(value)))
    return row
