"""What perceptual losses overlook or like: seams, letters, patterns.

``python -m pico_plugins.training.trials.artifacts CHECKPOINT... --photos KODAK --text SCREENS``
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...evaluation.images import image_files
from ...network import PicoModel
from ...network.weights_file import load_model
from ...quality import TUNES
from ..pattern import colour_loss, pattern_loss
from ..tensors import to_tensor
from ..text_masks import text_mask
from ..tiling import join_pairs, pair_width, seam_error, split_pairs
from .evaluate import middle

_WINDOW = 256
_LEVELS = (1.0, 3.0, 5.0)


class Shown(NamedTuple):
    """Pairs of windows as they are shown."""

    pixels: Tensor
    """Joined, (B, 3, 256, 504)."""
    rate: float
    """Bits per pixel."""
    added: Added


class Added(NamedTuple):
    """What realism adds to the faithful decoding. Shares are in [0, 1]."""

    error: float
    """By how much the squared error grows, as a share of the faithful decoding's."""
    size: float
    """Root mean square in levels of 255."""
    pattern: float
    """Of that, what is common to all squares of a window, in levels."""
    colour: float
    """The share of its power that is not common to red, green and blue."""
    noise: float
    """The share of its size that changes with the noise that the branch is given."""


@torch.no_grad()
def shown_pairs(model: PicoModel, wide: Tensor, level: float, realism: float, tune: str = "pixels") -> Shown:
    """``wide`` (B, 3, 256, 504) in [0, 1] coded as pairs of windows and joined."""
    windows = split_pairs(wide)
    given = windows, torch.full((len(windows),), level), torch.full((len(windows),), realism), tune
    torch.manual_seed(0)
    first, second = (model.train()(*given).shown for _ in range(2))  # two draws of noise
    coded = model.eval()(*given)
    added = coded.shown - coded.pixels
    power, noise = added.square().mean().item(), (first - second).square().mean().item() / 2
    errors = [(pixels - windows).square().mean().item() for pixels in (coded.pixels, coded.shown)]
    return Shown(
        join_pairs(coded.shown),
        (coded.y_bits + coded.z_bits).mean().item() / _WINDOW**2,
        Added(
            error=errors[1] / errors[0] - 1,
            size=255 * power**0.5,
            pattern=pattern_loss(added).mean().sqrt().item(),
            colour=colour_loss(added).mean().item() / max(255**2 * power, 1e-9),
            noise=(noise / max(power, 1e-12)) ** 0.5,
        ),
    )


def text_error(shown: Tensor, pixels: Tensor, text: Tensor) -> float:
    """Mean absolute difference where ``text`` (B, 1, H, W) is 1, of pixels in [0, 1]."""
    return float(((shown - pixels).abs() * text).sum() / (3 * text.sum()).clamp_min(1))


def with_most_text(paths: list[Path]) -> tuple[Tensor, Tensor]:
    """Of each image the 504 x 256 pixels that hold most text, (B, 3, 256, 504), and where it is, (B, 1, 256, 504)."""
    width, cuts, masks = pair_width(_WINDOW), [], []
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
            mask = Image.fromarray(text_mask(image)).resize(image.size, Image.Resampling.NEAREST)
        text = np.asarray(mask) > 0
        places = [
            (top, left)
            for top in range(0, text.shape[0] - _WINDOW + 1, _WINDOW // 2)
            for left in range(0, text.shape[1] - width + 1, width // 2)
        ]
        top, left = max(places, key=lambda at: text[at[0] : at[0] + _WINDOW, at[1] : at[1] + width].sum())
        cut = slice(top, top + _WINDOW), slice(left, left + width)
        cuts.append(pixels[cut])
        masks.append(torch.from_numpy(text[cut]).float()[None])
    return to_tensor(np.stack(cuts)), torch.stack(masks)


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--photos", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--text", multiple=True, required=True, type=click.Path(exists=True, path_type=Path), help="Or folders.")
@click.option("--realism", type=click.FloatRange(0, 1), default=1.0, show_default=True)
@click.option("--tune", type=click.Choice(TUNES), default="pixels", show_default=True, help="The encoder to use.")
def main(checkpoints: tuple[Path, ...], photos: Path, text: tuple[Path, ...], realism: float, tune: str) -> None:
    """By level: of photos the error across seams and what realism adds; of images the error of their text."""
    width = pair_width(_WINDOW)
    pairs = to_tensor(np.stack([middle(path, width, _WINDOW) for path in image_files([photos], {".png"})]))
    pages, masks = with_most_text(image_files(text, {".png"}))
    for checkpoint in checkpoints:
        model = load_model(checkpoint).eval()
        click.echo(f"{checkpoint}")
        for level in _LEVELS:
            shown, rate, added = shown_pairs(model, pairs, level, realism, tune)
            seam = seam_error(shown, pairs).mean()
            page, page_rate, _ = shown_pairs(model, pages, level, realism, tune)
            letters = text_error(page, pages, masks)
            click.echo(
                f"    level {level:g}: seams {seam:.5f} at {rate:.3f} bpp, text {letters:.5f} at {page_rate:.3f} bpp; "
                f"added {added.size:.2f} of 255, pattern {added.pattern:.2f}, squared error {added.error:+.1%}, "
                f"colour {added.colour:.1%}, noise {added.noise:.2%}"
            )


if __name__ == "__main__":
    main()
