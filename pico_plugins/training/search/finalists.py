"""Who is trained, and how good the trained ones are."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...network import PicoModel


def within_target(timings: list[dict], targets: dict[str, float], tiles: int = 48) -> dict[str, float]:
    """Candidates whose decoder meets every backend's target, and whose encoder takes at most 1.5 times that.

    ``targets``: seconds for 12 megapixels by backend. Returns the decoder's part of its target (the worst backend's).
    """
    share: dict[str, float] = {}
    failed = set()
    for row in timings:
        target = targets.get(row["backend"])
        if target is None:
            continue
        decoder, encoder = (row[f"{side}_ms"] * tiles / 1000 / target for side in ("decoder", "encoder"))
        share[row["name"]] = max(share.get(row["name"], 0.0), decoder)
        if decoder > 1 or encoder > 1.5:
            failed.add(row["name"])
    return {name: part for name, part in share.items() if name not in failed}


def choose(shares: dict[str, float], kmac: dict[str, float], count: int) -> list[str]:
    """Of the candidates within the target the ``count`` that get the most work done in their time, slow and fast ones.

    The range of times is cut into as many parts as are chosen; in each the candidate with the most multiply-accumulates
    wins, since those are what the time buys.
    """
    names = sorted(shares, key=shares.get)
    parts = np.array_split(np.array(names), min(count, len(names))) if names else []
    return [max(part.tolist(), key=kmac.get) for part in parts]


@torch.no_grad()
def rate_distortion(model: PicoModel, images: list[Path], side: int = 512) -> list[tuple[int, float, float]]:
    """(level, estimated bits per pixel, PSNR in dB) at levels 0 ... 7, averaged over the middle of each image."""
    model.eval()
    points = []
    for level in range(model.config.levels):
        rates, values = [], []
        for path in images:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
            crop = np.array(pixels[top : top + side, left : left + side])
            unit = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
            torch.manual_seed(0)
            coded = model(unit, torch.tensor([float(level)]), torch.zeros(1))
            shown = (coded.pixels.clamp(0, 1) * 255).round() / 255
            rates.append(float(coded.y_bits + coded.z_bits) / side**2)
            values.append(-10 * math.log10(float((shown - unit).square().mean())))
        points.append((level, float(np.mean(rates)), float(np.mean(values))))
    return points
