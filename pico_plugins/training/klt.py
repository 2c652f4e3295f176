"""Initialisation as a linear transform codec.

From random weights the first hours are spent on finding a transform. The best linear one is known: the
Karhunen-Loeve transform (KLT), the principal components of the training crops. So the 1 x 1 convolutions next to
each Haar level start as the principal components of what they see, the decoder's as their transposes, and the
3 x 3 convolutions at both ends as identities. The network starts where a good block transform stands.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..network.conv_scale import ConvScale
from ..network.haar import haar
from ..network.level import level_weights
from ..network.model import PicoModel
from ..network.transforms import LATENT_GAIN
from .loss import level_lambda


def _set(conv: ConvScale, matrix: Tensor) -> None:
    """Put ``matrix`` (out, in) into the centre tap, as far as the shapes reach; with small noise around it."""
    with torch.no_grad():
        noise = 0.02 / math.sqrt(conv.weight[0].numel()) * float(matrix.abs().max())
        nn.init.normal_(conv.weight, std=noise)
        rows, columns = min(conv.weight.shape[0], matrix.shape[0]), min(conv.weight.shape[1], matrix.shape[1])
        centre = conv.weight.shape[-1] // 2
        conv.weight[:rows, :columns, centre, centre] += matrix[:rows, :columns]


def principal_components(features: Tensor, count: int) -> Tensor:
    """The ``count`` strongest directions (count, C) of (B, C, H, W), about zero rather than about the mean."""
    samples = features.transpose(0, 1).flatten(1).double()
    _, vectors = torch.linalg.eigh(samples @ samples.t() / samples.shape[1])
    return vectors.flip(1).t()[:count].float()


@torch.no_grad()
def initialise(model: PicoModel, pixels: Tensor) -> None:
    """Set the transforms of ``model`` from ``pixels`` (B, 3, H, W) in [0, 1], and its first quantization widths."""
    encoder, decoder, config = model.encoder, model.decoder, model.config
    weights = level_weights(torch.zeros(pixels.shape[0]), config.levels)

    blocks = F.pixel_unshuffle(pixels, 4)
    bands = haar(haar(pixels - 0.5))
    width = min(encoder.stem.conv.weight.shape[0], decoder.head.conv.weight.shape[1])
    basis = torch.eye(48) if width >= 48 else principal_components(bands, width)
    _set(encoder.stem.conv, basis)
    _set(decoder.head.conv, basis.t())
    x = encoder.quarter(encoder.stem(blocks - 0.5), weights)

    for down, stage, up in (
        (encoder.to_eighth, encoder.eighth, decoder.to_quarter),
        (encoder.to_sixteenth, encoder.sixteenth, decoder.to_eighth),
    ):
        basis = principal_components(haar(x), down.conv.weight.shape[0])
        _set(down.conv, basis)
        _set(up.conv, basis.t())
        x = stage(down(x), weights)

    if isinstance(encoder.head, ConvScale):
        _set(encoder.head, LATENT_GAIN * torch.eye(config.latents, encoder.head.weight.shape[1]))
    if isinstance(decoder.tail, ConvScale):
        _set(decoder.tail, torch.eye(decoder.tail.weight.shape[0], config.latents) / LATENT_GAIN)

    # A uniform quantizer of width w costs w^2 / 12 in MSE; where its slope dD/dR = -2 ln 2 D meets the loss's
    # rate against lambda * 255^2 * MSE, w^2 = 12 / (2 ln 2 lambda 255^2), here in units of 1 / LATENT_GAIN.
    level = torch.arange(config.levels, dtype=torch.float32)
    width = (12 / (2 * math.log(2) * level_lambda(level, config.levels))).sqrt() / 255 * LATENT_GAIN
    model.context.log_width.copy_(width.log()[:, None].expand_as(model.context.log_width))
