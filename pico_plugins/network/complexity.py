"""How large and how costly a network is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv_scale import FoldableConv
from .level import level_weights
from .model import PicoModel


def parameters(module: nn.Module) -> int:
    """Number of learned values an export keeps: folded weights and biases, and the per-level tables."""
    if isinstance(module, FoldableConv):
        return sum(tensor.numel() for tensor in module.folded())
    own = sum(tensor.numel() for tensor in module.parameters(recurse=False))
    return own + sum(parameters(child) for child in module.children())


@torch.no_grad()
def kmac_per_pixel(model: PicoModel, side: int = 256) -> dict[str, float]:
    """Thousand multiply-accumulates a pixel in the convolutions of encoder, context model and decoder."""
    macs = {"encoder": 0, "context": 0, "decoder": 0}

    def count(part: str):
        def hook(module: FoldableConv, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weight, _ = module.folded()
            # Before a pixel shuffle there are weight.shape[0] channels; the number of values is the same after it.
            macs[part] += output.numel() * weight[0].numel()

        return hook

    hooks = []
    for part in macs:
        for module in getattr(model, part).modules():
            if isinstance(module, FoldableConv):
                hooks.append(module.register_forward_hook(count(part)))
    weights = level_weights(torch.zeros(1), model.config.levels)
    y, z = model.encoder(torch.zeros(1, 3, side, side), weights)
    latents, _, _ = model.context(torch.round(z), weights, lambda phase, mu, q: mu)
    model.decoder(latents, weights, torch.zeros(1))
    for hook in hooks:
        hook.remove()
    return {part: total / side**2 / 1000 for part, total in macs.items()}
