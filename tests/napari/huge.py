"""A .pico file of 200 megapixels that costs nothing to make, and how napari gets on with it.

xvfb-run -a python -m tests.napari.huge      (or without xvfb-run on a screen)
"""

from __future__ import annotations

import dataclasses
import io
import tempfile
import time
from pathlib import Path

import numpy as np

import pico_plugins
from pico_plugins.format.reader import TileReader
from pico_plugins.format.writer import write_file
from pico_plugins.lazy_image import CACHE_BYTES

WIDTH, HEIGHT = 29 * 504 + 8, 28 * 504 + 8


def write_huge(path: Path, photo: np.ndarray) -> None:
    """One tile of the photo over and over: the contents do not matter here."""
    one = pico_plugins.encode(np.tile(photo, (2, 1, 1))[:512, :512], 30, tile=504)
    with io.BytesIO(one) as source:
        reader = TileReader(source)
        tile = reader.tile_bytes(0)
    header = dataclasses.replace(reader.header, width=WIDTH, height=HEIGHT)
    with path.open("wb") as target:
        write_file(target, header, [tile] * len(header.grid))
    pico_plugins.decode(one)  # the networks are loaded once in a process, not once a file


def main() -> None:
    """Open the file in a real window, in turn with a small one; look at twenty places; print what it took."""
    import resource

    import napari
    from qtpy.QtTest import QTest

    from tests.conftest import PHOTO, Image

    viewer = napari.Viewer()
    with tempfile.TemporaryDirectory() as folder, Image.open(PHOTO) as photo:
        pixels = np.asarray(photo)
        huge, small = Path(folder) / "huge.pico", Path(folder) / "small.pico"
        write_huge(huge, pixels)
        pico_plugins.encode_file(small, pixels)
        seconds: dict[Path, list[tuple[float, float]]] = {small: [], huge: []}
        for path in [small, huge] * 5:
            viewer.layers.clear()
            start = time.perf_counter(), time.thread_time()
            (layer,) = viewer.open(str(path), plugin="pico-plugins")
            seconds[path].append((time.perf_counter() - start[0], time.thread_time() - start[1]))
            if layer.multiscale:
                image = layer.data[0].image
                with image._wanting:
                    image._wanted.clear()  # the overview of the next one is as good
        grid = len(image.header.grid)
        print(f"{WIDTH} x {HEIGHT} pixels in {grid} tiles, and 600 x 400 in one; medians of 5:")
        for path, found in seconds.items():
            wall, busy = np.median(found, axis=0)
            print(f"{path.name} opens in {wall:.2f} s, of which the window's thread computes {busy:.2f} s")
        viewer.camera.zoom = 1
        source = np.random.default_rng(0)
        waits, most = [], 0
        for row, column in source.uniform((600, 600), (HEIGHT - 600, WIDTH - 600), (20, 2)):
            start = time.perf_counter()
            viewer.camera.center = (0, row, column)
            QTest.qWait(1)
            waits.append(time.perf_counter() - start)
            most = max(most, image._cached)
        decoded = len({number for _, reduction, number in image._cache if reduction == 1})
        print(f"20 places at 1:1: {np.median(waits):.2f} s each (median), {decoded} tiles of {grid} decoded in full")
        print(f"cached: at most {most / 2**20:.0f} of {CACHE_BYTES >> 20} MiB")
        print(f"the process took at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB of memory")
        viewer.close()


if __name__ == "__main__":
    main()
