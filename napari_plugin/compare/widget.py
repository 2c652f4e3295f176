"""The widget: choose a layer, move the sliders, see what the codec makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import napari
import numpy as np
from napari.layers import Image
from napari.utils.events import Event
from qtpy.QtCore import QEvent, Qt, QTimer
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
from pico_plugins.format.header import MAX_PIXELS

from ..settings import default_quality, default_realism
from ..writer import file_name, kept_metadata
from .coding import Box, Original, Result, boxes, code, difference, with_realism, with_similarity
from .plot import RatePlot
from .result_layer import ResultLayer
from .similarity import MIN_SIDE
from .worker import Report, Worker

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
        self._original = Original(None)  # its pixels
        self._result: ResultLayer | None = None
        self._orphans: list[ResultLayer] = []
        self._docked = self._ended = False

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
        # Layers are removed a moment later: to remove another while one is being removed upsets napari's loops.
        self._sweep_timer = QTimer(self)
        self._sweep_timer.setSingleShot(True)
        self._sweep_timer.setInterval(0)
        self._sweep_timer.timeout.connect(self._sweep)
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
        self.cancel_button.clicked.connect(self._cancel_and_say)
        self.save_button.clicked.connect(self.save)
        self.worker.produced.connect(self._take)
        self.worker.progressed.connect(self._show_progress)
        self.worker.finished.connect(self._finish)
        self.painter.produced.connect(self._paint)
        self.viewer.layers.events.inserted.connect(self._list_layers)
        self.viewer.layers.events.removed.connect(self._layer_removed)
        self.viewer.bind_key(FLICKER_KEY, self.flicker, overwrite=True)

    def _list_layers(self, event: object = None) -> None:
        """Offer the layers that the codec can take; keep the present choice, or take the active layer, if possible."""
        own = [self._result, *self._orphans]
        layers = [layer for layer in self.viewer.layers if _codable(layer) and layer not in own]
        present = self._source if self._source in layers else None
        active = self.viewer.layers.selection.active
        chosen = next((layer for layer in (present, active, *layers) if layer in layers), None)
        self.layer_choice.blockSignals(True)
        self.layer_choice.clear()
        for layer in layers:
            self.layer_choice.addItem(layer.name, layer)
            layer.events.name.connect(self._list_layers)
        self.layer_choice.setCurrentIndex(layers.index(chosen) if chosen else -1)
        self.layer_choice.blockSignals(False)
        if present is None:
            self._choose_layer()

    def _layer_removed(self, event: Event) -> None:
        if event.value is self._result:
            self._result.release()
            self._result = None
        self._list_layers()

    def _choose_layer(self, index: int = 0) -> None:
        self._follow(self.layer_choice.currentData())
        self._begin_anew()
        if self._source is None:
            self.numbers.setText(
                f"No layer to compress. It takes 2-D images of 8 bits, gray, RGB or RGBA, of up to {MAX_PIXELS >> 20} "
                "megapixels; not the pyramid of a large .pico file, which is compressed already"
            )

    def _follow(self, source: Image | None) -> None:
        """``source`` is the layer from now on; its pixels may be replaced. The result of another one goes."""
        if self._source is not None:
            self._source.events.data.disconnect(self._replaced)
        self._source = source
        if source is not None:
            source.events.data.connect(self._replaced)
        if self._result is not None and self._result.original is not source:
            self._drop_result()

    def _drop_result(self) -> None:
        self._result.release()
        self._orphans.append(self._result)
        self._result = None
        self._sweep_timer.start()

    def _sweep(self) -> None:
        while self._orphans:
            layer = self._orphans.pop()
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _replaced(self, event: object = None) -> None:
        """The layer's pixels are others."""
        if _codable(self._source):
            self._begin_anew()
        else:
            self._list_layers()

    def _begin_anew(self) -> None:
        """The layer, or what is in it, is another: nothing that is known holds for it."""
        self.cancel()
        self._shown = None
        self._set_whole(None)
        self.plot.clear()
        self._original = Original(self._source.data if self._source is not None else None)
        if self._source is not None:
            self.numbers.setText("…")
            self._timer.start()

    def _set_whole(self, whole: Result | None) -> None:
        """``whole`` is what can be saved from now on."""
        self._whole = whole
        self.save_button.setEnabled(whole is not None)
        if self._result is not None:
            self._result.compressed = whole

    def _visible(self) -> Box:
        (top, left), (bottom, right) = self._source.corner_pixels[:, -2:].astype(int)
        return int(left), int(top), int(right) + 1, int(bottom) + 1

    def compress(self) -> None:
        """Start coding what is in view, then everything, at the present sliders."""
        if self._source is None:
            return
        original, quality, realism = self._original, self.quality.value(), self.realism.value() / 100
        visible, found = self._visible(), self._source.metadata
        known = self._whole.data if self._whole and self._whole.quality == quality else None

        def work(report: Report) -> Iterator[Result]:
            pixels, metadata = original.pixels, kept_metadata(found)
            report(0, 1)
            todo = [(0, 0, pixels.shape[1], pixels.shape[0])] if known else boxes(pixels.shape, visible)
            for box in todo:
                result = code(pixels, box, quality, realism, metadata=metadata, known=known, report=report)
                yield result
            if measured := with_similarity(result, pixels, report):
                yield measured

        if known is None:  # what could be saved is no longer what the sliders ask for
            self._set_whole(None)
        self._set_running(True)
        self.worker.start(work)

    def cancel(self) -> None:
        """Stop what is running."""
        self._timer.stop()
        self.worker.cancel()
        self.painter.cancel()
        self._set_running(False)

    def _cancel_and_say(self) -> None:
        self.cancel()
        if self._whole is None:
            self.numbers.setText("Cancelled: what is shown was not made with these settings")

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
            self._shown = self._original.pixels.copy()
        left, top, right, bottom = result.box
        self._shown[top:bottom, left:right] = result.pixels
        if result.whole:
            self.plot.add(result.quality, result.bits_per_pixel, result.psnr)
            self._set_whole(result)
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

    def _draw(self, value: int = 0) -> None:
        """Put into the result layer what the chosen view shows."""
        if self._shown is None or self._source is None:
            return
        view, pixels, original = self.view_choice.currentText(), self._shown, self._original.pixels
        self.painter.cancel()
        if view == "Difference":  # takes too long for the window to wait: _paint shows it
            gain = self.gain.value()
            self.painter.start(lambda report: iter([difference(original, pixels, gain)]))
        elif view == "Curtain":
            column = self.curtain.value() * pixels.shape[1] // 1000
            self._show(np.concatenate([original[:, :column], pixels[:, column:]], axis=1))
        else:
            self._show(pixels)

    def _paint(self, job: int, pixels: np.ndarray) -> None:
        if job == self.painter.job and self._source is not None:
            self._show(pixels, plain=True)

    def _show(self, view: np.ndarray, *, plain: bool = False) -> None:
        """``view`` in the result layer, which is made if there is none."""
        if self._result is None:
            self._result = ResultLayer(view, self._source)
            self._result.compressed = self._whole
            self.viewer.layers.insert(self.viewer.layers.index(self._source) + 1, self._result)
        self._result.show(view, plain=plain)

    def flicker(self, viewer: napari.Viewer | None = None) -> None:
        """Show or hide the result."""
        if self._result is not None:
            self._result.visible = not self._result.visible

    def save(self) -> None:
        """Ask for a path and write the whole image's file there."""
        if self._whole is None:
            return
        dialog = QFileDialog(self, "Save as", f"{file_name(self._source.name)}.pico", "PICO (*.pico)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("pico")  # before it asks whether a file may be replaced
        if dialog.exec():
            self.save_to(dialog.selectedFiles()[0])

    def save_to(self, path: str) -> None:
        """Write the file whose size is shown. Problems are shown, not raised."""
        if self._whole is None:  # since the dialog was opened, too
            self.numbers.setText("Not saved: the image is not compressed yet")
            return
        path = path if path.lower().endswith(".pico") else f"{path}.pico"
        try:
            data = with_realism(self._whole.data, self.realism.value() / 100)
            with writing(path) as file:
                file.write(data)
            self.numbers.setText(f"Saved {path}: {len(data):,} bytes")
        except OSError as error:
            self.numbers.setText(f"Not saved: {error}")

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end()
        super().closeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange:  # napari's x takes the widget out of its dock, and closes nothing
            if self.parent() is None and self._docked:
                self._end()
            self._docked = self.parent() is not None

    def _end(self) -> None:
        """Stop all work and let go of the viewer. A finished picture stays, as a layer of its own."""
        if self._ended:
            return
        self._ended = True
        self.setEnabled(False)
        self._timer.stop()
        self.worker.close()
        self.painter.close()
        self.viewer.layers.events.inserted.disconnect(self._list_layers)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.viewer.bind_key(FLICKER_KEY, None, overwrite=True)
        if self._result is not None:
            if self._whole is None:
                self._drop_result()
            else:
                self._result.show(self._whole.pixels)
                self._result.release()
                self._result = None
        self._follow(None)


def _codable(layer: object) -> bool:
    """Whether it is a plain 2-D image of 8 bits that readers accept; a pyramid would have to be decoded whole."""
    if not isinstance(layer, Image) or layer.multiscale or layer.ndim != 2 or layer.data.dtype != np.uint8:
        return False
    return layer.data.shape[0] * layer.data.shape[1] <= MAX_PIXELS


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
