"""What perceptual losses overlook or like: seams, letters, patterns.

``python -m pico_plugins.training.artifacts CHECKPOINT... --photos KODAK --text SCREENS``
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..network import PicoModel
from .checkpoint import load_model
from .evaluate import middle
from .pattern import pattern_loss
from .tensors import to_tensor
from .text_masks import text_mask
from .tiling import join_pairs, pair_width, seam_error, split_pairs

_WINDOW = 256
_LEVELS = (1.0, 3.0, 5.0)


@torch.no_grad()
def shown_pairs(model: PicoModel, wide: Tensor, level: float, realism: float) -> tuple[Tensor, float, float]:
    """``wide`` (B, 3, 256, 504) in [0, 1] coded as pairs of windows and joined, bits per pixel, and the pattern added.

    The pattern is what realism adds to all squares of a window alike: root mean square, in levels of 255.
    """
    windows = split_pairs(wide)
    coded = model(windows, torch.full((len(windows),), level), torch.full((len(windows),), realism))
    bits = (coded.y_bits + coded.z_bits).mean().item()
    pattern = pattern_loss(coded.shown - coded.pixels).mean().sqrt().item()
    return join_pairs(coded.shown), bits / _WINDOW**2, pattern


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
def main(checkpoints: tuple[Path, ...], photos: Path, text: tuple[Path, ...], realism: float) -> None:
    """Of PHOTOS, by level, the error across seams of tiles and the pattern added; of images the error of their text."""
    width = pair_width(_WINDOW)
    pairs = to_tensor(np.stack([middle(path, width, _WINDOW) for path in sorted(photos.glob("*.png"))]))
    pages, masks = with_most_text(
        [p for path in text for p in (sorted(path.glob("*.png")) if path.is_dir() else [path])]
    )
    for checkpoint in checkpoints:
        model = load_model(checkpoint).eval()
        click.echo(f"{checkpoint}")
        for level in _LEVELS:
            shown, rate, pattern = shown_pairs(model, pairs, level, realism)
            seam = seam_error(shown, pairs).mean()
            page, page_rate, _ = shown_pairs(model, pages, level, realism)
            letters = text_error(page, pages, masks)
            click.echo(
                f"    level {level:g}: seams {seam:.5f}, pattern {pattern:.2f} of 255 at {rate:.3f} bpp, "
                f"text {letters:.5f} at {page_rate:.3f} bpp"
            )


if __name__ == "__main__":
    main()
