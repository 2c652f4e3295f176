"""How latents begin that are added to a trained model.

Nothing is coded of them at first, so that rate and picture are as before. They are what the old ones leave: the
principal components of the decoder's error, as far as it can be told from the encoder's features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network import PicoModel
from ..network.haar import haar
from ..network.level import level_weights
from ..network.transforms import LATENT_GAIN, Decoder, Encoder
from .klt import principal_components

_STEPS = 40
_NEARLY_CODED = 31 / 1024  # bias of the scale decoder for a table index of 0.48: rounded it is 0, not coded


def _features(encoder: Encoder, blocks: Tensor, weights: Tensor) -> Tensor:
    """What the encoder's latents are weighted sums of: (B, 4 C, H/16, W/16)."""
    at_quarter = encoder.quarter(encoder.stem(blocks - 0.5), weights)
    return haar(encoder.eighth(encoder.to_eighth(at_quarter), weights))


def _wanted(decoder: Decoder, latents: Tensor, blocks: Tensor, weights: Tensor) -> Tensor:
    """What the decoder, given ``latents``, lacks behind them (B, 4 C, H/16, W/16): with it its error is far less."""
    begin = decoder.to_eighth(decoder.first_features(latents, weights))
    lacking = torch.zeros_like(begin, requires_grad=True)
    optimizer = torch.optim.Adam([lacking], 3e-3)
    for _ in range(_STEPS):
        with torch.enable_grad():
            error = blocks - decoder.full(decoder.eighth(begin + lacking, weights), weights)
            (lacking.grad,) = torch.autograd.grad(error.square().sum(), lacking)
        optimizer.step()
    return haar(lacking.detach())


def _samples(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B H W, C)."""
    return x.transpose(0, 1).flatten(1).t()


def _leave_uncoded(model: PicoModel, known: int) -> None:
    """Table index 0, and the usual width, for the latents from number ``known`` on."""
    head, log_width = model.scale_decoder.head, model.context.log_width
    head.weight[known:] = 0.0
    head.level_bias[:, known:] = 0.0
    head.bias[known:] = _NEARLY_CODED
    log_width[:, known:] = log_width[:, :known].mean(1, keepdim=True)


@torch.no_grad()
def begin_latents(model: PicoModel, known: int, pixels: Tensor) -> None:
    """Set what writes and reads the latents from number ``known`` on; ``pixels`` (B, 3, H, W) in [0, 1] are examples.

    Raises ``ValueError`` for a model with convolutions at the latents.
    """
    if model.config.latent_convolutions:
        msg = "latents can be added only where no convolution is between them and the stages at 1/16"
        raise ValueError(msg)
    _leave_uncoded(model, known)
    levels, leave = model.config.levels, model.decoder.to_eighth.conv
    blocks = F.pixel_unshuffle(pixels, 4)
    weights = level_weights(torch.full((len(pixels),), levels - 1.0), levels)  # where quantization hides least
    latents, _ = model.encoder(blocks, weights)
    latents[:, known:] = 0.0
    wanted = _samples(_wanted(model.decoder, latents, blocks, weights))

    basis = None
    for encoder in (model.encoder, model.eye_encoder):
        if encoder is None:
            continue
        features, enter = _samples(_features(encoder, blocks, weights)), encoder.to_sixteenth.conv
        told = torch.linalg.lstsq(features, wanted).solution.t()
        if basis is None:
            basis = principal_components((features @ told.t()).t()[None, :, :, None], model.config.latents - known)
            # As large as a step of the quantizer at the highest level: there some are not 0, and training sees to them.
            step = model.context.log_width[-1, known:].exp() / LATENT_GAIN
            size = (features @ (basis @ told).t()).square().mean(0).sqrt().clamp_min(1e-6) / step
        enter.weight[known:, :, 0, 0] = basis @ told / enter.scale_in[:, :, 0, 0]
        enter.scale_out[known:, 0, 0, 0] = 1.0 / size
    leave.weight[:, known:, 0, 0] = basis.t() / leave.scale_out[:, :, 0, 0]
    leave.scale_in[0, known:, 0, 0] = size
