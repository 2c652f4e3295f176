"""The terms of an objective that compare features of classifiers: VGG16, AlexNet and EfficientNet-Lite0."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..evaluation.lpips import lpips_network
from ..evaluation.wasserstein import DEPTHS, wasserstein_distance
from .feature_distance import feature_distance
from .precision import reduced_precision

NAMES = ("wd", "lpips-vgg", "lpips-alex", "lite0")

PART = 0.75
"""Side of the part of a window that VGG16 sees, in the window's: it takes two thirds of a step's time."""


def _sampled(images: tuple[Tensor, ...], scale: Tensor, centre: Tensor, side: int) -> tuple[Tensor, ...]:
    """From all ``images`` (B, 3, H, H) the square (B, 3, side, side) that is ``scale`` (B,) of the window, around
    ``centre`` (B, 2), in -1 ... 1."""
    theta = torch.cat([torch.diag_embed(scale[:, None].expand(-1, 2)), centre[:, :, None]], 2)
    grid = F.affine_grid(theta, [len(scale), 3, side, side], align_corners=False)
    return tuple(
        F.grid_sample(image, grid, padding_mode="border", align_corners=False).contiguous(
            memory_format=torch.channels_last
        )
        for image in images
    )


def look_closer(*images: Tensor) -> tuple[Tensor, ...]:
    """The same part of all (B, 3, H, H), half the side or more, at random for each window, enlarged to H x H.

    A network's layers stop at every second or fourth pixel, and the decoder makes 4 x 4 at a time: if what is compared
    were always at the same place and size, it could learn a pattern that pleases the one network and nobody else, as it
    did with AlexNet (docs/training.md). Nothing here waits for the device.
    """
    count, side = len(images[0]), images[0].shape[-1]
    scale = 0.5 + (0.5 - 4 / side) * torch.rand(count)
    centre = (2 * torch.rand(count, 2) - 1) * (1 - scale)[:, None]
    return _sampled(images, scale, centre, side)


def cut_part(*images: Tensor, share: float = PART) -> tuple[Tensor, ...]:
    """The same square of that ``share`` of the side of all (B, 3, H, H), at a random place for each window."""
    count, side = len(images[0]), images[0].shape[-1]
    part = int(side * share)
    corner = torch.floor(torch.rand(count, 2) * (side - part + 1)).clamp_max(side - part)
    scale = torch.full((count,), part / side)
    return _sampled(images, scale, (2 * corner + part) / side - 1, part)


def feature_terms(names: set[str], shown: Tensor, pixels: Tensor, share: float = PART) -> dict[str, Tensor]:
    """Those of :data:`NAMES` that are in ``names``, each (B,), of windows (B, 3, H, H) in [0, 1].

    Every network sees every window, VGG16 a part of it (see :func:`cut_part`), and once for both of its terms.
    """
    terms = {}
    if names & {"wd", "lpips-vgg"}:
        network = lpips_network("vgg")
        depths = 5 if "lpips-vgg" in names else DEPTHS
        part, original = cut_part(shown, pixels, share=share)
        with reduced_precision():
            with torch.no_grad():
                others = network.activations(original, depths)
            seen = network.activations(part, depths)
        if "wd" in names:
            terms["wd"] = wasserstein_distance(seen, others)
        if "lpips-vgg" in names:
            seen, others = ([x.float() for x in found] for found in (seen, others))
            terms["lpips-vgg"] = network.distance(network.normalised(seen), network.normalised(others))
    for name, network in (("lpips-alex", lambda: lpips_network("alex")), ("lite0", feature_distance)):
        if name in names:
            with reduced_precision():
                terms[name] = network()(*look_closer(shown, pixels)).float()
    return terms
