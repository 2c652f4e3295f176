"""Sizes of the network. Everything that can differ between two models is a field here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Stage:
    """The blocks at one resolution.

    ``channels`` wide, ``blocks`` inverted residuals (:class:`~pico_plugins.network.blocks.ConvScale311`), whose
    first convolution is ``kernel`` x ``kernel`` (depthwise, or dense) and expands by ``e``, and whose
    second, 1 x 1, expands by ``f``.
    """

    channels: int
    blocks: int
    kernel: int = 3
    depthwise: bool = True
    e: int = 1
    f: int = 2


@dataclass(frozen=True)
class ModelConfig:
    """One codec. Stages are listed from fine to coarse: 1/4, 1/8 and 1/16 of the image's resolution."""

    encoder: tuple[Stage, Stage, Stage]
    decoder: tuple[Stage, Stage, Stage]
    latents: int = 320  # channels of y, at 1/16
    hyperlatents: int = 64  # channels of z, at 1/64
    hyper_channels: int = 128  # width of the hyper-encoder
    prior_channels: int = 256  # channels of the prior p, at 1/32 (the four phases of 1/16)
    context_channels: int = 256  # width of one context step
    scale_channels: tuple[int, int, int] = (128, 96, 64)  # integer scale decoder at 1/64, 1/32 and 1/16
    # A 1 x 1 convolution between the latents and either stage at 1/16. Where that has no blocks and as many channels as
    # there are latents, it would only multiply with its neighbour, and can go.
    latent_convolutions: bool = True
    levels: int = 8  # trained quality levels; values between them are interpolated
    detail: tuple[Stage, Stage] | None = None  # at 1/8 and 1/16: what perceptual decoding adds, if that is trained
    eye_encoder: tuple[Stage, Stage, Stage] | None = None  # a second encoder for the same decoder, tuned for the eye

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for sizes that do not fit together."""
        ends = {stages[2].channels for stages in (self.encoder, self.decoder, self.eye_encoder or self.encoder)}
        if not self.latent_convolutions and ends != {self.latents}:
            msg = "stages at 1/16 without latent convolutions must have as many channels as there are latents"
            raise ValueError(msg)

    def to_json(self) -> str:
        """The configuration as JSON, the form in which it travels with a checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Inverse of :meth:`to_json`. Raises ``TypeError`` for unknown or missing fields, ``ValueError`` for sizes that
        do not fit together."""
        fields = json.loads(text)
        for part in ("encoder", "decoder", "detail", "eye_encoder"):
            if fields.get(part):
                fields[part] = tuple(Stage(**stage) for stage in fields[part])
        fields["scale_channels"] = tuple(fields["scale_channels"])
        return cls(**fields)


CPU = ModelConfig(
    encoder=(Stage(32, 1, f=1), Stage(96, 1, depthwise=False, f=1), Stage(320, 0)),
    decoder=(Stage(64, 0), Stage(128, 1, depthwise=False, f=1), Stage(320, 0)),
    context_channels=160,
    latent_convolutions=False,
)
"""The model in training: small enough for a plain CPU. docs/search.md says how it was found."""

# Candidates for the next model: one change of the CPU preset each, and all of them. docs/models.md says what they cost.
CPU_DECODER = replace(CPU, decoder=(Stage(64, 0), Stage(128, 2, depthwise=False, f=1), Stage(320, 0)))
CPU_CONTEXT = replace(CPU, context_channels=256)
CPU_ENCODER = replace(CPU, encoder=(Stage(32, 1, f=1), Stage(128, 2, depthwise=False, f=1), Stage(320, 0)))
CPU_LATENTS = replace(
    CPU,
    # As many numbers for 16 x 16 pixels as the 32 channels at 1/4 are, if 1/8 lets them through: 16 x 32, 4 x 128, 512.
    encoder=(Stage(32, 1, f=1), Stage(128, 1, depthwise=False, f=1), Stage(512, 0)),
    decoder=(*CPU.decoder[:2], Stage(512, 0)),
    latents=512,
)
CPU_ALL = replace(
    CPU_LATENTS,
    encoder=(*CPU_ENCODER.encoder[:2], Stage(512, 0)),
    decoder=(*CPU_DECODER.decoder[:2], Stage(512, 0)),
    context_channels=256,
)

DETAIL = Stage(128, 3, depthwise=False, f=1), Stage(192, 2, depthwise=False, f=1)
"""What phase 2 adds to a decoder that has no ``detail`` yet. docs/training.md says how it was found."""

WIDE_DETAIL = Stage(128, 3, depthwise=False, f=1), Stage(256, 5, depthwise=False, f=1)
"""More of it at 1/16: 26 kMAC a pixel and 4.5 million parameters, in place of 15 and 1.7."""

BRANCHES = {"small": DETAIL, "wide": WIDE_DETAIL}

PAPER = ModelConfig(
    encoder=(Stage(64, 2), Stage(160, 3), Stage(384, 12, f=4)),
    decoder=(Stage(64, 2), Stage(160, 3), Stage(392, 7, f=4)),
)
"""The paper's published totals: 15.2 M parameters in the encoder, 9.6 M and 33-48 kMAC per pixel in the decoder.

How the paper divides them between resolutions is not known to us; the division here is ours.
"""

TINY = ModelConfig(
    encoder=(Stage(16, 1), Stage(24, 1), Stage(32, 1, f=1)),
    decoder=(Stage(16, 1), Stage(24, 1), Stage(32, 1, f=1)),
    latents=32,
    hyperlatents=8,
    hyper_channels=16,
    prior_channels=16,
    context_channels=16,
    scale_channels=(16, 12, 8),
)
"""For tests: every part is there, none of it costs time."""

PRESETS = {
    "cpu": CPU,
    "cpu-decoder": CPU_DECODER,
    "cpu-context": CPU_CONTEXT,
    "cpu-encoder": CPU_ENCODER,
    "cpu-latents": CPU_LATENTS,
    "cpu-all": CPU_ALL,
    "paper": PAPER,
    "tiny": TINY,
}
