"""Where a perceptual decoding shows detail that the file does not hold, and how likely that detail is wrong.

The faithful decoding (realism 0) leaves out what the file does not say; the perceptual one (realism 1) fills it in. How
far the two are apart is known without the original. How often a block that far apart is wrong was counted once, on
other images, for each model: that count turns the one into the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .decoder import decode_open
from .errors import UnsupportedError
from .fidelity import BLOCK, block_errors
from .files import Source, reading
from .format.reader import TileReader
from .format.tile_kind import LOSSLESS, split_tile
from .pipeline import Progress
from .quality import LEVEL_STEPS, trained_levels
from .weights import CALIBRATION_FILES, model_folder

_BAND = 64 * BLOCK  # rows that are compared at once


@dataclass(frozen=True)
class Calibration:
    """How often a block is further than :data:`pico_plugins.fidelity.BOUND` from the original, given its departure."""

    departures: tuple[float, ...]
    """In levels of 255, ascending from 0."""
    chances: tuple[tuple[float, ...], ...]
    """In [0, 1], for each of the model's levels one for each departure; 0 at departure 0, and never falling."""

    def chance(self, departure: np.ndarray, level: int) -> np.ndarray:
        """For ``departure`` in levels of 255 and a tile's ``level`` in 1/32; float32 of the same shape."""
        node, after, part = trained_levels(level, len(self.chances))
        rows = np.array([self.chances[node], self.chances[after]])
        row = rows[0] + (rows[1] - rows[0]) * part / LEVEL_STEPS
        return np.interp(departure, self.departures, row).astype(np.float32)

    def to_json(self) -> str:
        """The form in which it is stored beside a model."""
        return json.dumps({"departures": self.departures, "chances": self.chances}, indent=1) + "\n"

    @classmethod
    def of_model(cls, folder: Path, tune: str = "pixels") -> Calibration:
        """That of the model in ``folder``, for files tuned so. Raises :class:`UnsupportedError` where it has none."""
        path = folder / CALIBRATION_FILES[tune]
        if not path.exists():
            msg = f"model {folder.name} has no calibration for files tuned for the {tune}: how often their synthesised "
            raise UnsupportedError(msg + "detail is wrong is not known")
        found = json.loads(path.read_text())
        return cls(tuple(found["departures"]), tuple(map(tuple, found["chances"])))


def colours(pixels: np.ndarray) -> np.ndarray:
    """Decoded ``pixels`` without alpha: (H, W, 1) or (H, W, 3)."""
    return pixels[:, :, None] if pixels.ndim == 2 else pixels[:, :, :3]


def departures(faithful: np.ndarray, perceptual: np.ndarray) -> np.ndarray:
    """Root mean square difference of every 8 x 8 pixels, in levels: float32 (ceil(H / 8), ceil(W / 8))."""
    bands = range(0, len(faithful), _BAND)
    return np.concatenate([block_errors(faithful[at : at + _BAND], perceptual[at : at + _BAND]) for at in bands])


def authenticity_map(
    source: Source,
    *,
    threads: int | None = None,
    backend: str | None = None,
    max_pixels: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """How much the perceptual decoding of a .pico file departs from the faithful one: float32 (H, W) in [0, 1].

    The value of a pixel is the chance that its block of 8 x 8 pixels, as shown at realism 1, differs from the original
    by more than 12 levels of 255 (root mean square), as counted on other images. It is 0 where both decodings show
    the same: in tiles without loss, in strict files, and everywhere if the model has not learned to synthesise detail.
    At a lower realism less is added, in proportion. The map says nothing about what both decodings leave out.

    Decodes twice (strict files once). Errors as in :func:`pico_plugins.decode`; ``UnsupportedError`` if the model has
    no calibration.
    """
    with reading(source) as file:
        reader, shown = (
            TileReader(file, max_pixels),
            [],
        )  # one index for all: a file that is changed meanwhile is noticed
        header = reader.header
        ways = (0.0,) if header.strict else (0.0, 1.0)
        for part, realism in enumerate(ways):

            def report(done: int, total: int, part: int = part) -> None:
                if progress:
                    progress(part * total + done, len(ways) * total)

            options = dict(threads=threads, backend=backend, progress=report)
            shown.append(colours(decode_open(reader, realism=realism, **options)))
        apart = departures(shown[0], shown[-1])
        chance = np.zeros((header.height, header.width), np.float32)
        if not apart.any():
            return chance
        calibration = Calibration.of_model(model_folder(header.model.hex()), header.tune)
        for tile in header.grid:  # each says its own level
            level, _ = split_tile(reader.tile_bytes(tile.number)[0])
            if level != LOSSLESS:
                rows, columns = (np.arange(*span) // BLOCK for span in (tile.rows, tile.columns))
                touched = calibration.chance(apart[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], level)
                there = np.ix_(rows - rows[0], columns - columns[0])
                chance[slice(*tile.rows), slice(*tile.columns)] = touched[there]
    return chance
