"""Haar resampling: every change of resolution is a 2-D Haar transform next to a convolution.

The transform never runs on its own. It is linear and works inside 2 x 2 blocks, so it is multiplied into the
neighbouring convolution's weights: downsampling becomes one strided convolution, upsampling one transposed
convolution. The weights that are *learned* stay those in the Haar domain.

Channels of a transformed tensor are ordered ``channel * 4 + band``, bands LL, LH, HL, HH.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .conv_scale import ConvScale, FoldableConv

# Rows are bands, columns the pixels (0,0), (0,1), (1,0), (1,1). Orthonormal and symmetric, so its own inverse.
HAAR = 0.5 * torch.tensor(
    [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
)


def haar(x: Tensor) -> Tensor:
    """One Haar level: (B, C, H, W) -> (B, 4C, H/2, W/2). H and W must be even."""
    b, c, h, w = x.shape
    pixels = F.pixel_unshuffle(x, 2).view(b, c, 4, h // 2, w // 2)
    return torch.einsum("kp,bcphw->bckhw", HAAR.to(x), pixels).reshape(b, 4 * c, h // 2, w // 2)


def two_level_matrix() -> Tensor:
    """The (16, 16) matrix that takes the pixels of a 4 x 4 block (row-major) to its two-level Haar bands."""
    blocks = torch.eye(16).view(16, 1, 4, 4)
    return haar(haar(blocks)).view(16, 16).t().contiguous()


class HaarDown(FoldableConv):
    """Haar level, then a 1 x 1 ConvScale: (B, C, H, W) -> (B, K, H/2, W/2), as one 2 x 2 convolution of stride 2."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = ConvScale(4 * c_in, c_out)
        self.register_buffer("haar", HAAR.clone(), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (K, C, 2, 2) and bias (K,) with the Haar transform multiplied in."""
        weight, bias = self.conv.folded()
        k, c4 = weight.shape[:2]
        bands = weight.view(k, c4 // 4, 4)
        return (bands @ self.haar).view(k, c4 // 4, 2, 2), bias

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, stride=2)


class HaarUp(FoldableConv):
    """1 x 1 ConvScale, then an inverse Haar level: (B, C, H, W) -> (B, K, 2H, 2W), as one transposed convolution.

    ONNX Runtime runs that faster than a convolution and a pixel shuffle (docs/performance.md). Its bias is one value a
    channel, so only the LL band has one; the other bands' would be a fixed 2 x 2 pattern all over the image.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = ConvScale(c_in, 4 * c_out, bias=False)
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.register_buffer("haar", HAAR.clone(), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (C, K, 2, 2) and bias (K,) of a transposed convolution with stride 2."""
        weight, _ = self.conv.folded()
        k4, c = weight.shape[:2]
        pixels = torch.einsum("kbc,bp->ckp", weight.view(k4 // 4, 4, c), self.haar)
        return pixels.reshape(c, k4 // 4, 2, 2), self.bias

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, stride=2)


class BlockStem(FoldableConv):
    """Two Haar levels on 4 x 4 pixel blocks, then a 3 x 3 ConvScale: (B, 48, H, W) -> (B, C, H, W).

    The 48 values of a block are ordered colour * 16 + row * 4 + column, as ``F.pixel_unshuffle(pixels, 4)`` gives them.
    """

    def __init__(self, c_out: int) -> None:
        super().__init__()
        self.conv = ConvScale(48, c_out, kernel=3)
        self.register_buffer("haar", two_level_matrix(), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (C, 48, 3, 3), bias (C,) for pixel blocks."""
        weight, bias = self.conv.folded()
        bands = weight.view(-1, 3, 16, 3, 3)
        return torch.einsum("kcbyx,bp->kcpyx", bands, self.haar).reshape_as(weight), bias

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, padding=1)


class BlockHead(FoldableConv):
    """3 x 3 ConvScale, then two inverse Haar levels to 4 x 4 pixel blocks: (B, C, H, W) -> (B, 48, H, W)."""

    def __init__(self, c_in: int) -> None:
        super().__init__()
        self.conv = ConvScale(c_in, 48, kernel=3)
        self.register_buffer("haar", two_level_matrix(), persistent=False)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight (48, C, 3, 3), bias (48,) for pixel blocks."""
        weight, bias = self.conv.folded()
        bands = weight.view(3, 16, *weight.shape[1:])
        weight = torch.einsum("bp,kbcyx->kpcyx", self.haar, bands).reshape_as(weight)
        return weight, (bias.view(3, 16) @ self.haar).reshape(48)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(x, weight, bias, padding=1)
