"""How large and how costly a network is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv_scale import FoldableConv
from .haar import HaarUp
from .level import level_weights
from .model import PicoModel


def parameters(module: nn.Module) -> int:
    """Number of learned values an export keeps: folded weights and biases, and the per-level tables."""
    if isinstance(module, FoldableConv):
        return sum(tensor.numel() for tensor in module.folded() if tensor is not None)
    own = sum(tensor.numel() for tensor in module.parameters(recurse=False))
    return own + sum(parameters(child) for child in module.children())


@torch.no_grad()
def kmac_per_pixel(model: PicoModel, side: int = 256) -> dict[str, float]:
    """Thousand multiply-accumulates a pixel in convolutions, by network.

    The detail branch and the encoder tuned for the eye only if there are such.
    """
    parts = ("encoder", "context", "decoder", "detail", "eye_encoder")
    macs = {part: 0 for part in parts if getattr(model, part) is not None}

    def count(part: str):
        def hook(module: FoldableConv, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weight, _ = module.folded()
            if isinstance(module, HaarUp):  # transposed: every input value meets weight[0]
                macs[part] += inputs[0].numel() * weight[0].numel()
            else:
                macs[part] += output.numel() * weight[0].numel()

        return hook

    hooks = []
    for part in macs:
        for module in getattr(model, part).modules():
            if isinstance(module, FoldableConv):
                hooks.append(module.register_forward_hook(count(part)))
    weights = level_weights(torch.zeros(1), model.config.levels)
    _, z = model.encoder(torch.zeros(1, 48, side // 4, side // 4), weights)
    if model.eye_encoder is not None:
        model.eye_encoder(torch.zeros(1, 48, side // 4, side // 4), weights)
    latents, _, _ = model.context(torch.round(z), weights, lambda phase, mu, q: mu)
    features = model.decoder.features(latents, weights)
    model.decoder.full(features[1], weights)
    if model.detail is not None:
        model.add(features, weights, torch.ones(1))
    for hook in hooks:
        hook.remove()
    return {part: total / side**2 / 1000 for part, total in macs.items()}
