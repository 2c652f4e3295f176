"""A pyramid that does not keep the window waiting: coarse levels are filled in as they are decoded."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from contextlib import closing

import numpy as np

from pico_plugins.files import Source
from pico_plugins.format.tile_grid import BLANK, Box, Tile, place
from pico_plugins.lazy_image import LazyImage

AT_ONCE = 8
"""So many tiles are decoded while the window waits: a fraction of a second."""
BATCH = 16
UPDATE_SECONDS = 0.3


class ProgressiveImage(LazyImage):
    """A :class:`LazyImage` whose reduced levels answer at once.

    What has not been decoded is shown from a coarser level, or gray, and decoded on a thread; ``updated(self)`` is
    called there whenever there is more to see. The full resolution is always exact: saving a layer takes its pixels
    from there.
    """

    def __init__(self, source: Source, updated: Callable[[ProgressiveImage], None]) -> None:
        super().__init__(source)
        self._updated = updated
        self._coarsest = self.levels[-1].reduction
        self._wanted: dict[tuple[int, int], Tile] = {}
        self._failed: set[int] = set()
        self._wanting = threading.Lock()
        self._thread: threading.Thread | None = None
        # One array for all who look at the whole of the coarsest level. napari reads that once and keeps it, so what
        # arrives later has to arrive in the same memory.
        self._overview: np.ndarray | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """A copy, such as that of a duplicated layer, answers at once as well."""
        _, arguments = super().__reduce__()
        return ProgressiveImage, (*arguments, self._updated)

    def read(self, reduction: int, box: Box) -> np.ndarray:
        """As :meth:`LazyImage.read`, but with stand-ins for what is not decoded yet if ``reduction`` is not 1."""
        if reduction == 1 or box[0] >= box[2] or box[1] >= box[3]:
            return super().read(reduction, box)
        tiles = self.tiles(reduction, box)
        coarsest = self.levels[-1]
        if reduction == coarsest.reduction and box == (0, 0, coarsest.shape[1], coarsest.shape[0]):
            if self._overview is None:
                self._overview = np.full(coarsest.shape, BLANK, np.uint8)
                self._want(reduction, tiles)
            return self._overview
        known = {tile: pixels for tile in tiles if (pixels := self.cached(reduction, tile)) is not None}
        missing = [tile for tile in tiles if tile not in known]
        wanted = [tile for tile in missing if tile.number not in self._failed]
        if len(wanted) <= AT_ONCE:
            known |= self._decode_batch(reduction, wanted)
        out = np.full((box[3] - box[1], box[2] - box[0], *self.header.shape[2:]), BLANK, np.uint8)
        self._place_coarser(out, reduction, box, [tile for tile in missing if tile not in known])
        for tile, pixels in known.items():
            place(out, box, tile.reduced(reduction), pixels)
        if len(wanted) > AT_ONCE:
            self._want(reduction, wanted)
        return out

    def _place_coarser(self, out: np.ndarray, reduction: int, box: Box, tiles: list[Tile]) -> None:
        for level in reversed(self.levels):
            factor = level.reduction // reduction
            if factor < 2:
                return
            for tile in tiles:
                pixels = self.cached(level.reduction, tile)
                if pixels is not None:
                    small = tile.reduced(level.reduction)
                    rows, columns = (tuple(factor * end for end in span) for span in (small.rows, small.columns))
                    large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
                    place(out, box, Tile(tile.number, rows, columns, rows, columns), large)

    def _want(self, reduction: int, tiles: list[Tile]) -> None:
        """Decode ``tiles`` next; of what was wanted before only the overview is still of use."""
        with self._wanting:
            still = {k: tile for k, tile in self._wanted.items() if self._coarsest in (reduction, k[0])}
            new = {(reduction, tile.number): tile for tile in tiles}
            self._wanted = still | new if reduction == self._coarsest else new | still
            if self._wanted and self._thread is None:
                self._thread = threading.Thread(target=self._decode_wanted, name="pico-pyramid")
                self._thread.start()

    def _decode_wanted(self) -> None:
        shown = time.monotonic()
        while True:
            with self._wanting:
                if not self._wanted or _quitting():
                    self._thread = None
                    break
                reduction = next(iter(self._wanted))[0]
                keys = [key for key in self._wanted if key[0] == reduction][:BATCH]
                batch = [self._wanted.pop(key) for key in keys]
            found = self._decode_batch(reduction, batch)
            if reduction == self._coarsest and self._overview is not None:
                height, width = self._overview.shape[:2]
                for tile, pixels in found.items():
                    place(self._overview, (0, 0, width, height), tile.reduced(reduction), pixels)
            if time.monotonic() - shown > UPDATE_SECONDS:
                self._updated(self)
                shown = time.monotonic()
        self._updated(self)

    def _decode_batch(self, reduction: int, batch: list[Tile]) -> dict[Tile, np.ndarray]:
        """The pixels of ``batch``; tile by tile if something is wrong with one: the others are still shown."""
        try:
            return self._decode_until_quitting(reduction, batch)
        except Exception:
            found: dict[Tile, np.ndarray] = {}
            for tile in batch:
                try:
                    found |= self._decode_until_quitting(reduction, [tile])
                except Exception as error:
                    if not self._failed:  # napari shows warnings in its window
                        warnings.warn(f"parts of the image stay gray: {error}", stacklevel=2)
                    self._failed.add(tile.number)
            return found

    def _decode_until_quitting(self, reduction: int, batch: list[Tile]) -> dict[Tile, np.ndarray]:
        found: dict[Tile, np.ndarray] = {}
        if not _quitting():
            with closing(self.decode(reduction, batch)) as tiles:
                for tile, pixels in tiles:
                    found[tile] = pixels
                    if _quitting():
                        break
        return found


def _quitting() -> bool:
    """Whether Python waits for this thread to end. (A daemon thread would be torn from the middle of a network.)"""
    return not threading.main_thread().is_alive()
