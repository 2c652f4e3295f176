"""Quality level: one scalar in the bitstream conditions the whole codec through interpolated embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def level_weights(level: Tensor, levels: int) -> Tensor:
    """Linear interpolation weights (B, levels) of the two embeddings next to each ``level`` (B,) in [0, levels - 1]."""
    nodes = torch.arange(levels, device=level.device, dtype=level.dtype)
    return torch.relu(1.0 - (level[:, None] - nodes).abs())


class ResolutionScale(nn.Module):
    """The learned per-channel scale that ends a resolution's blocks, conditioned on the quality level.

    ``gain`` is a constant factor: learned scales stay about 1.
    """

    def __init__(self, channels: int, levels: int, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.table = nn.Parameter(torch.ones(levels, channels))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """``x`` (B, C, H, W), ``weights`` from :func:`level_weights`."""
        scale = self.gain * (weights @ self.table)
        return x * scale.to(x.dtype)[:, :, None, None]
