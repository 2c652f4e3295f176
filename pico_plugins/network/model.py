"""The whole codec as one module, as training sees it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DETAIL, ModelConfig, Stage
from .context import ContextModel, split_phases
from .detail import NOISE_CHANNELS, DetailBranch, NoisePattern
from .level import level_weights
from .rate import trained_bits
from .scale_decoder import ScaleDecoder, round_index
from .transforms import Decoder, Encoder, round_hyperlatents


@dataclass
class Coded:
    """What one forward pass gives: reconstruction (B, 3, H, W), bits (B,) spent on y and z, reconstructed latents.

    ``perceptual`` is the reconstruction at the realism that was asked for, ``pixels`` that at realism 0. ``previews``
    are the image reduced 8 and 4 times; no gradient goes from them to anything but their own heads.
    """

    pixels: Tensor
    y_bits: Tensor
    z_bits: Tensor
    latents: Tensor
    previews: list[Tensor]
    perceptual: Tensor | None = None

    @property
    def shown(self) -> Tensor:
        """The reconstruction that was asked for."""
        return self.pixels if self.perceptual is None else self.perceptual


def _round(x: Tensor) -> Tensor:
    return x + (torch.round(x) - x).detach()


class PicoModel(nn.Module):
    """Encoder, entropy model and decoder with the straight-through quantization used in training."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, config.encoder)
        self.context = ContextModel(config)
        self.scale_decoder = ScaleDecoder(config)
        self.decoder = Decoder(config)
        self.detail = DetailBranch(config) if config.detail else None
        self.eye_encoder = Encoder(config, config.eye_encoder) if config.eye_encoder else None
        self.z_index = nn.Parameter(torch.full((config.hyperlatents,), 3.0))  # in units of 10 indices

    def hyper_index(self) -> Tensor:
        """Scale-table index (hyperlatents,) of each hyperlatent channel: frozen, it depends on no input."""
        return round_index(self.z_index * 10.0)

    def add_detail(self, stages: tuple[Stage, Stage] = DETAIL) -> None:
        """Give the model a detail branch that does nothing yet, if it has none."""
        if self.detail is None:
            self.config = replace(self.config, detail=stages)
            self.detail = DetailBranch(self.config)

    def add_eye_encoder(self) -> None:
        """Give the model a second encoder, if it has none: a copy of the first, to be tuned for the eye."""
        if self.eye_encoder is None:
            self.config = replace(self.config, eye_encoder=self.config.encoder)
            self.eye_encoder = copy.deepcopy(self.encoder)

    def encoder_for(self, tune: str) -> Encoder:
        """The encoder of files tuned for "pixels" or for the "eye". Raises ``ValueError`` where there is none."""
        encoder = {"pixels": self.encoder, "eye": self.eye_encoder}.get(tune)
        if encoder is None:
            msg = f"the model has no encoder tuned for {tune!r}"
            raise ValueError(msg)
        return encoder

    def add(self, features: tuple[Tensor, Tensor], weights: Tensor, realism: Tensor) -> Tensor:
        """The decoder's features at 1/8 with ``realism`` (B,) times the detail that belongs there."""
        at_eighth = features[1]
        shape = len(at_eighth), NOISE_CHANNELS, *at_eighth.shape[2:]
        noise = torch.randn(shape) if self.training else NoisePattern()(at_eighth)
        return at_eighth + realism[:, None, None, None] * self.detail(*features, weights, noise)

    def forward(self, pixels: Tensor, level: Tensor, realism: Tensor | None = None, tune: str = "pixels") -> Coded:
        """``pixels`` (B, 3, H, W) in [0, 1]; ``level`` (B,); ``realism`` (B,) in [0, 1] of what is perceptual.

        Levels are multiples of 1/32 in [0, levels - 1]. Without ``realism``, or in a model without a detail branch,
        there is no perceptual reconstruction. ``tune`` chooses the encoder: see :meth:`encoder_for`.
        """
        weights = level_weights(level, self.config.levels)
        y, z = self.encoder_for(tune)(F.pixel_unshuffle(pixels, 4), weights)
        y, z = y.float(), z.float()

        hyper_index = self.hyper_index().view(1, -1, 1, 1)
        z_bits = trained_bits(z, hyper_index)
        z_hat = (z + (round_hyperlatents(z) - z).detach()) * (hyper_index > 0)

        with torch.autocast(z_hat.device.type, enabled=False):
            index = self.scale_decoder(z_hat, weights)
        coded = index > 0
        y_phases, coded_phases = split_phases(y), split_phases(coded)

        def reconstruct(phase: int, mu: Tensor, q: Tensor) -> Tensor:
            mu, q = mu.float(), q.float()
            return _round((y_phases[phase] - mu) / q) * coded_phases[phase] * q + mu

        y_hat, mu, q = self.context(z_hat, weights, reconstruct)
        residual = (y - mu.float()) / q.float()
        y_bits = trained_bits(residual, index)

        features = self.decoder.features(y_hat, weights)
        previews = self.decoder.previews(tuple(x.detach() for x in features))
        perceptual = None
        if realism is not None and self.detail is not None:
            perceptual = self._pixels(self.add(features, weights, realism), weights)
        return Coded(
            self._pixels(features[1], weights),
            y_bits.sum((1, 2, 3)),
            z_bits.sum((1, 2, 3)),
            y_hat,
            [F.pixel_shuffle(preview, 2).float() for preview in previews],
            perceptual,
        )

    def _pixels(self, at_eighth: Tensor, weights: Tensor) -> Tensor:
        return F.pixel_shuffle(self.decoder.full(at_eighth, weights), 4).float()
