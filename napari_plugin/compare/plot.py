"""A small rate-distortion plot that fills in as the user moves the slider."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QWidget


class RatePlot(QWidget):
    """PSNR in dB over bits per pixel; the last point that was added is marked."""

    def __init__(self) -> None:
        super().__init__()
        self.points: dict[float, tuple[float, float]] = {}
        self.latest: float | None = None
        self.setMinimumHeight(120)

    def add(self, quality: float, rate: float, psnr: float) -> None:
        """A point, replacing an earlier one of the same quality."""
        self.points[quality], self.latest = (rate, psnr), quality
        self.update()

    def clear(self) -> None:
        """Forget all points."""
        self.points, self.latest = {}, None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink, strong = (self.palette().color(role) for role in (QPalette.ColorRole.Mid, QPalette.ColorRole.Text))
        frame = QRectF(self.rect()).adjusted(40, 8, -8, -22)
        painter.setPen(ink)
        painter.drawRect(frame)
        shown = sorted(point for point in self.points.values() if point[1] < 100)
        if not shown:
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, "PSNR over bits per pixel")
            return
        most = 1.1 * shown[-1][0]
        low, high = min(p for _, p in shown) - 1, max(p for _, p in shown) + 1

        def place(point: tuple[float, float]) -> QPointF:
            x = frame.left() + point[0] / most * frame.width()
            return QPointF(x, frame.bottom() - (point[1] - low) / (high - low) * frame.height())

        painter.setPen(strong)
        painter.drawText(QRectF(0, frame.top(), 36, 14), Qt.AlignmentFlag.AlignRight, f"{high:.0f} dB")
        painter.drawText(QRectF(0, frame.bottom() - 12, 36, 14), Qt.AlignmentFlag.AlignRight, f"{low:.0f} dB")
        below = QRectF(frame.left(), frame.bottom() + 3, frame.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{most:.2f} bits per pixel")
        painter.setPen(QPen(ink, 1.5))
        painter.drawPolyline(QPolygonF([place(point) for point in shown]))
        painter.setPen(QPen(strong, 1))
        for quality, point in self.points.items():
            if point in shown:
                painter.setBrush(strong if quality == self.latest else Qt.BrushStyle.NoBrush)
                painter.drawEllipse(place(point), 4, 4)
