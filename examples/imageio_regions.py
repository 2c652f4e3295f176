"""Write with imageio, then read only what is needed: properties, a region, a small overview.

python examples/imageio_regions.py [PHOTO] [FOLDER]
"""

import sys
from pathlib import Path

import imageio.v3 as iio

import imageio_plugin  # noqa: F401  (registers .pico)
import pico_plugins

DEMO = Path(pico_plugins.__file__).parent / "demo" / "coffee.png"

source = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()
target = folder / f"{source.stem}.pico"

iio.imwrite(target, iio.imread(source), quality=60)

height, width = iio.improps(target).shape[:2]  # nothing is decoded yet
print(f"{target}: {width} x {height}, {iio.immeta(target)['pico']}")

middle = iio.imread(target, region=(width // 4, height // 4, width // 2, height // 2))  # left, top, right, bottom
overview = iio.imread(target, scale=1 / 4)
print(f"region {middle.shape}, overview {overview.shape}")
iio.imwrite(folder / f"{source.stem}-overview.png", overview)
