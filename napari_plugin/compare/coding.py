"""What the widget computes: encode, decode, measure. No window here."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pico_plugins import Metadata, decode, encode
from pico_plugins.fidelity import psnr
from pico_plugins.format.reader import TileReader
from pico_plugins.format.writer import write_file

from .similarity import MIN_SIDE, ms_ssim

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the image."""

BAND = 256


class Cancelled(Exception):
    """The user has moved on: the work is of no use any more."""


class Original:
    """A layer's pixels. If the layer is lazy they are computed once, on the thread that asks first."""

    def __init__(self, data: object) -> None:
        self._data = data

    @cached_property
    def pixels(self) -> np.ndarray:
        """uint8 (h, w), (h, w, 3) or (h, w, 4)."""
        return np.asarray(self._data)


@dataclass(frozen=True)
class Result:
    """An image, or the part of it in ``box``, after the codec. ``ms_ssim`` is None until it is known."""

    box: Box
    whole: bool
    quality: float
    data: bytes
    pixels: np.ndarray
    psnr: float
    ms_ssim: float | None = None

    @property
    def bits_per_pixel(self) -> float:
        """Of the file, container included."""
        return 8 * len(self.data) / (self.pixels.shape[0] * self.pixels.shape[1])


def _colours(pixels: np.ndarray) -> np.ndarray:
    """Without alpha."""
    return pixels if pixels.ndim == 2 else pixels[..., :3]


def code(
    pixels: np.ndarray,
    box: Box,
    quality: float,
    realism: float,
    *,
    metadata: Metadata | None = None,
    known: bytes | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """``pixels`` inside ``box`` through the codec; ``known`` is its file if only ``realism`` has changed.

    ``metadata`` goes into the file if it is the whole image's. ``report`` hears of the tiles that are done, and may
    raise :class:`Cancelled`. MS-SSIM takes longer than coding: :func:`with_similarity`.
    """
    left, top, right, bottom = box
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    if known is None:
        kept = metadata if part.shape == pixels.shape else None
        data = encode(
            part, quality, metadata=kept, realism=realism, progress=lambda done, total: report(done, 2 * total)
        )
        shown = decode(data, progress=lambda done, total: report(total + done, 2 * total))
    else:
        data = with_realism(known, realism)
        shown = decode(data, progress=report)
    report(1, 1)
    return Result(box, part.shape == pixels.shape, quality, data, shown, psnr(_colours(part), _colours(shown)))


def with_similarity(result: Result, pixels: np.ndarray, report: Callable[[int, int], None]) -> Result | None:
    """``result`` of ``pixels`` with its MS-SSIM, or None if the image is too small to have one."""
    left, top, right, bottom = result.box
    if min(right - left, bottom - top) < MIN_SIDE:
        return None
    return replace(result, ms_ssim=ms_ssim(pixels[top:bottom, left:right], result.pixels, report))


def with_realism(data: bytes, realism: float) -> bytes:
    """The same file, to be decoded with another ``realism`` from now on."""
    with io.BytesIO(data) as source, io.BytesIO() as target:
        reader = TileReader(source)
        tiles = [reader.tile_bytes(number) for number in range(len(reader.index))]
        write_file(target, replace(reader.header, realism=realism), tiles)
        return target.getvalue()


def boxes(shape: tuple[int, ...], visible: Box) -> Iterator[Box]:
    """What to code, in order: what is in view, if that is much less than everything; then everything."""
    everything = (0, 0, shape[1], shape[0])
    left, top = max(visible[0], 0), max(visible[1], 0)
    right, bottom = min(visible[2], shape[1]), min(visible[3], shape[0])
    # Whole granules around the view, so that the preview's borders are not in view.
    box = (left // 64 * 64, top // 64 * 64, min(-(-right // 64) * 64, shape[1]), min(-(-bottom // 64) * 64, shape[0]))
    if left < right and top < bottom and (box[2] - box[0]) * (box[3] - box[1]) < shape[0] * shape[1] / 2:
        yield box
    yield everything


def difference(original: np.ndarray, shown: np.ndarray, gain: float) -> np.ndarray:
    """Gray where both are equal, and ``gain`` times their difference around it; uint8, alpha left out."""
    original, shown = _colours(original), _colours(shown)
    out = np.empty(original.shape, np.uint8)
    for top in range(0, len(out), BAND):  # the float images are larger than what they are made of
        band = slice(top, top + BAND)
        change = shown[band].astype(np.float32) - original[band]
        out[band] = np.clip(128 + gain * change, 0, 255)
    return out
