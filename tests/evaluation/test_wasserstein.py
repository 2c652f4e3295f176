"""Wasserstein distortion, and the feature terms of training, on networks that need no package: small and random."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.numpy import save_file

from pico_plugins.evaluation.lpips import lpips_network
from pico_plugins.evaluation.metrics import METRICS
from pico_plugins.evaluation.staged import VARIABLE
from pico_plugins.evaluation.wasserstein import local_statistics, wasserstein_distance, wasserstein_network
from pico_plugins.training.feature_terms import feature_terms

VGG = [3, 8, 8, 12, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16]
ALEX = [3, 8, 12, 12, 12, 12]


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A folder with an "alex" and a "vgg" of a few channels, in place of the packages."""
    random = np.random.default_rng(0)
    for name, widths, kernels, taps in (
        ("vgg", VGG, [3] * 13, (1, 3, 6, 9, 12)),
        ("alex", ALEX, [11, 5, 3, 3, 3], (0, 1, 2, 3, 4)),
    ):
        arrays = {}
        for i, kernel in enumerate(kernels):
            shape = (widths[i + 1], widths[i], kernel, kernel)
            arrays[f"conv_{i}.weight"] = random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float16)
            arrays[f"conv_{i}.bias"] = np.zeros(shape[0], np.float16)
        for depth, tap in enumerate(taps):
            arrays[f"importance_{depth}"] = np.ones((1, widths[tap + 1], 1, 1), np.float16)
        save_file(arrays, tmp_path / f"{name}.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    lpips_network.cache_clear()
    yield
    lpips_network.cache_clear()


def texture(height: int = 64, width: int = 64) -> torch.Tensor:
    """(1, 4, H, W): noise that is a little smooth, as features of a texture are."""
    noise = torch.randn(1, 4, height + 2, width + 2, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 3, stride=1)


def blurred(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)


def test_statistics_of_a_known_texture():
    """Stripes of 0 and 2: mean 1 and deviation 1 wherever the neighbourhood holds many of them."""
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 2.0
    means, deviations = local_statistics(stripes)
    assert means.shape == deviations.shape == (1, 1, 8, 8)
    assert means[..., 1:-1].allclose(torch.tensor(1.0), atol=1e-3)
    assert deviations[..., 1:-1].allclose(torch.tensor(1.0), atol=1e-3)
    _, flat = local_statistics(torch.full((1, 1, 64, 64), 1000.0))
    assert flat.max() < 0.2  # the square root of what is added to variances, and rounding


def test_a_shifted_texture_costs_little_and_blur_of_equal_error_much():
    x = texture(128, 128)
    shifted, soft = torch.roll(x, 1, 3), torch.nn.functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)
    error = (x - shifted).square().mean()
    soft = x + (soft - x) * (error / (x - soft).square().mean()).sqrt()
    assert (x - soft).square().mean() == pytest.approx(error)
    distance = {name: wasserstein_distance([x] * 4, [y] * 4).item() for name, y in (("s", shifted), ("b", soft))}
    assert distance["s"] < 0.1 * distance["b"]
    assert wasserstein_distance([x] * 4, [x] * 4).item() == 0
    assert wasserstein_distance([soft] * 4, [x] * 4).item() == pytest.approx(distance["b"])
    assert wasserstein_distance([x] * 5, [soft] * 5).item() == pytest.approx(distance["b"])  # four depths count


def test_wasserstein_distortion_of_pictures(networks, photo):
    x = torch.from_numpy(photo[100:228, 200:328].copy()).permute(2, 0, 1)[None].float() / 255
    network = wasserstein_network()
    assert network(x, x).item() == 0
    assert network(x, blurred(x)).item() == pytest.approx(network(blurred(x), x).item(), rel=1e-5)
    shown = blurred(x).requires_grad_()
    network(shown, x).sum().backward()
    assert shown.grad.isfinite().all() and shown.grad.any()
    original, soft = (np.ascontiguousarray((255 * y[0]).byte().permute(1, 2, 0).numpy()) for y in (x, blurred(x)))
    expected = network(
        torch.from_numpy(original).permute(2, 0, 1)[None] / 255, torch.from_numpy(soft).permute(2, 0, 1)[None] / 255
    )
    assert METRICS["wd"](original, soft) == pytest.approx(-10 * np.log10(expected.item()), abs=1e-4)
    assert METRICS["wd"](original, original) == 100


def test_every_network_sees_every_window(networks):
    torch.manual_seed(0)
    pixels = torch.rand(3, 3, 64, 64)
    shown = pixels.clone()
    shown[1] = blurred(pixels[1:2])[0]
    shown.requires_grad_()
    terms = feature_terms({"wd", "lpips-vgg", "lpips-alex"}, shown, pixels)
    assert set(terms) == {"wd", "lpips-vgg", "lpips-alex"}
    for name, term in terms.items():
        assert term.shape == (3,), name
        assert term[1] > 1e-4 > max(term[0], term[2]), name
    (gradient,) = torch.autograd.grad(terms["wd"].sum() + terms["lpips-alex"].sum(), shown)
    assert gradient[1].any()
    assert not feature_terms({"squared"}, shown, pixels)


def test_a_folder_without_a_network_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    lpips_network.cache_clear()
    with pytest.raises(FileNotFoundError):
        lpips_network("vgg")
