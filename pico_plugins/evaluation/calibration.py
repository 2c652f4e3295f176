"""How often synthesised detail is wrong: counted on some images, checked on others.

    python -m pico_plugins.evaluation.calibration --fit PHOTOS --check KODAK

Writes the count beside the shipped model, where :func:`pico_plugins.authenticity_map` finds it.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from .. import weights
from ..authenticity import Calibration, colours, departures
from ..decoder import decode
from ..encoder import encode
from ..fidelity import BOUND, block_errors
from ..network.shipped import model_config
from ..quality import LEVEL_STEPS, TUNES, quality_of_level
from ..weights.manifest import add_file
from .images import image_files, read_pixels

KNOTS = (0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
"""Departures, in levels, for which the chance is stored."""

ENOUGH = 500
"""Blocks that are counted together: of fewer a rare event cannot be told from none."""

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _images(folders: tuple[Path, ...]) -> list[np.ndarray]:
    paths = sorted(image_files(folders, recursive=True))
    if not paths:
        raise click.UsageError(f"no images in {', '.join(map(str, folders))}")
    return [read_pixels(path) for path in paths]


def samples(images: list[np.ndarray], level: int, tune: str = "pixels") -> tuple[np.ndarray, np.ndarray]:
    """For every block of ``images`` at ``level`` in 1/32: departure in levels, and whether it is wrong, bool."""
    apart, wrong = [], []
    for pixels in images:
        data = encode(pixels, quality_of_level(level), tune=tune)
        faithful, perceptual = (colours(decode(data, realism=realism)) for realism in (0.0, 1.0))
        apart.append(departures(faithful, perceptual).ravel())
        wrong.append((block_errors(colours(pixels), perceptual) > BOUND).ravel())
    return np.concatenate(apart), np.concatenate(wrong)


def fit(apart: np.ndarray, wrong: np.ndarray, below: tuple[float, ...] | None = None) -> tuple[float, ...]:
    """Chance of ``wrong`` at the knots: the best that never falls with the departure (isotonic regression).

    Blocks about equally far apart are counted together, :data:`ENOUGH` or more in a group. Beyond the last group
    nothing was counted: there it is what ``below`` says, the fit of the level below, where blocks are as far apart more
    often.
    """
    from scipy.optimize import isotonic_regression

    below = below or (0.0,) * len(KNOTS)
    order = np.argsort(apart)[np.count_nonzero(apart == 0) :]
    if len(order) < ENOUGH:
        return below
    groups = np.array_split(order, len(order) // ENOUGH)
    departure, share = (np.array([values[group].mean() for group in groups]) for values in (apart, wrong))
    rising = isotonic_regression(share, weights=[len(group) for group in groups]).x
    found = np.interp(KNOTS, [0.0, *departure], [0.0, *rising])
    found = np.where(np.array(KNOTS) > departure[-1], np.maximum(found, below), found)
    return tuple(np.maximum.accumulate(found).round(4).tolist())


def reliability(chance: np.ndarray, wrong: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean chance, share that was wrong, number) of the blocks whose chance falls into each tenth."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            found.append((float(chance[inside].mean()), float(wrong[inside].mean()), int(inside.sum())))
    return found


@click.command()
@click.option("--fit", "fit_on", multiple=True, required=True, type=_FOLDER, help="Images to count on.")
@click.option("--check", "check_on", multiple=True, required=True, type=_FOLDER, help="Others, to check the count on.")
@click.option("--tune", type=click.Choice(TUNES), default="pixels", show_default=True, help="What files are tuned for.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the check here.")
def main(fit_on: tuple[Path, ...], check_on: tuple[Path, ...], tune: str, plot: Path | None) -> None:
    """Count on the images in one folder, store the count with the shipped model, check it on those of another."""
    folder = weights.model_folder(weights.DEFAULT)
    levels = [node * LEVEL_STEPS for node in range(model_config(folder).levels)]
    images, others = _images(fit_on), _images(check_on)
    chances = []
    for level in levels:
        apart, wrong = samples(images, level, tune)
        if not apart.any():
            raise click.ClickException("realism changes nothing in this model: there is nothing to count")
        chances.append(fit(apart, wrong, chances[-1] if chances else None))
    calibration = Calibration(KNOTS, tuple(chances))
    add_file(folder, weights.CALIBRATION_FILES[tune], calibration.to_json())

    stated, came_true = [], []
    for level in [level + LEVEL_STEPS // 2 for level in levels[:-1]]:  # between the levels that were counted
        apart, wrong = samples(others, level, tune)
        stated.append(calibration.chance(apart, level))
        came_true.append(wrong)
        click.echo(f"level {level / LEVEL_STEPS:g}: map {stated[-1].mean():.3f} on average, wrong {wrong.mean():.3f}")
    found = reliability(np.concatenate(stated), np.concatenate(came_true))
    click.echo("map    wrong  blocks")
    for chance, true, count in found:
        click.echo(f"{chance:.3f}  {true:.3f}  {count}")
    if plot:
        from .plot import plot_reliability

        plot_reliability(found, plot)


if __name__ == "__main__":
    main()
