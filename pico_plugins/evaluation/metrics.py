"""Distances between an image and its reconstruction, uint8 (H, W, 3) each. Higher is better for all of them."""

from __future__ import annotations

import numpy as np


def psnr(original: np.ndarray, shown: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all RGB values, in dB."""
    error = np.mean((original.astype(np.float64) - shown) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def ms_ssim(original: np.ndarray, shown: np.ndarray) -> float:
    """Multi-scale structural similarity on RGB, in dB: -10 log10(1 - MS-SSIM). Sides of at least 161 pixels."""
    import torch
    from pytorch_msssim import ms_ssim as similarity

    a, b = (torch.from_numpy(np.array(x)).permute(2, 0, 1)[None].float() for x in (original, shown))
    return float(-10 * np.log10(max(1 - similarity(a, b, data_range=255).item(), 1e-10)))


METRICS = {"psnr": psnr, "ms-ssim": ms_ssim}
UNITS = {"psnr": "PSNR (dB)", "ms-ssim": "MS-SSIM (dB)"}
