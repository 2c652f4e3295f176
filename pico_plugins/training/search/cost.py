"""Multiply-accumulates of a configuration, counted from its fields: nothing is built."""

from __future__ import annotations

from ...network.config import ModelConfig, Stage

_AREA = {4: 16, 8: 64, 16: 256, 32: 1024, 64: 4096}  # pixels under one position at each resolution


def _block_macs(stage: Stage) -> int:
    wide = stage.channels * stage.e
    gather = stage.kernel**2 * wide * (1 if stage.depthwise else stage.channels)
    return gather + wide * stage.channels * stage.f + stage.channels * stage.f * stage.channels


def _stages_macs(stages: tuple[Stage, Stage, Stage]) -> float:
    return sum(stage.blocks * _block_macs(stage) / _AREA[at] for stage, at in zip(stages, (4, 8, 16), strict=True))


def _ends_macs(config: ModelConfig, sixteenth: Stage) -> float:
    """Of the convolution between the latents and a stage at 1/16, if there is one."""
    return config.latents * sixteenth.channels / _AREA[16] if config.latent_convolutions else 0.0


def encoder_kmac(config: ModelConfig) -> float:
    """Thousand multiply-accumulates a pixel in the encoder, hyper-encoder included."""
    quarter, eighth, sixteenth = config.encoder
    total = _stages_macs(config.encoder)
    total += 9 * 48 * quarter.channels / _AREA[4]
    total += 4 * quarter.channels * eighth.channels / _AREA[8]
    total += 4 * eighth.channels * sixteenth.channels / _AREA[16]
    total += _ends_macs(config, sixteenth)
    total += (4 * config.latents * config.hyper_channels + 9 * config.hyper_channels**2) / _AREA[32]
    total += 4 * config.hyper_channels * config.hyperlatents / _AREA[64]
    return total / 1000


def decoder_kmac(config: ModelConfig) -> float:
    """Thousand multiply-accumulates a pixel in the decoder (without the context model)."""
    quarter, eighth, sixteenth = config.decoder
    total = _stages_macs(config.decoder)
    total += _ends_macs(config, sixteenth)
    total += sixteenth.channels * 4 * eighth.channels / _AREA[16]
    total += eighth.channels * 4 * quarter.channels / _AREA[8]
    total += 9 * quarter.channels * 48 / _AREA[4]
    return total / 1000
