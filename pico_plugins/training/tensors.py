"""Crops as tensors."""

from __future__ import annotations

import numpy as np
import torch


def to_tensor(batch: np.ndarray) -> torch.Tensor:
    """uint8 (B, H, W, 3) -> (B, 3, H, W) in [0, 1] on the default device, channels last in memory."""
    pixels = torch.from_numpy(batch).to(torch.get_default_device()).permute(0, 3, 1, 2).float() / 255.0
    return pixels.contiguous(memory_format=torch.channels_last)
