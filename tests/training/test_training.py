"""The training code works: a few steps on a few generated images. Nobody learns anything here."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from pico_plugins.network import CPU, PicoModel
from pico_plugins.network.level import level_weights
from pico_plugins.network.weights_file import load_model
from pico_plugins.training.data import Crops, DeviceCrops, Photos, load_images
from pico_plugins.training.klt import initialise, principal_components
from pico_plugins.training.loss import faithful_distortion, level_lambda, rate_distortion
from pico_plugins.training.precision import reduced_precision
from pico_plugins.training.run import learning_rate
from pico_plugins.training.step import adam, step_if_finite
from pico_plugins.training.structure import structural_similarity


@pytest.fixture(scope="module")
def data(tmp_path_factory, photo):
    folder = tmp_path_factory.mktemp("data")
    for i, (top, left) in enumerate(((0, 0), (150, 200), (200, 330))):
        Image.fromarray(photo[top : top + 200, left : left + 260]).save(folder / f"{i}.png")
    Image.new("RGB", (30, 30)).save(folder / "too_small.png")
    return folder


def train(data, out, steps: int, preset: str = "tiny") -> list[dict]:
    command = [sys.executable, "-m", "pico_plugins.training", str(data), "--out", str(out), "--preset", preset]
    subprocess.run([*command, "--crop", "64", "--batch", "4", "--max-steps", str(steps)], check=True)
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_train_then_resume_then_export(data, tmp_path):
    log = train(data, tmp_path, 100)
    assert [line["step"] for line in log] == [100]
    before = load_model(tmp_path / "ema.safetensors").state_dict()
    log = train(data, tmp_path, 200, preset="cpu")  # a run keeps the configuration it began with
    assert [line["step"] for line in log] == [100, 200]
    assert log[1]["loss"] < log[0]["loss"]
    assert log[1]["skipped"] == 0
    after = load_model(tmp_path / "ema.safetensors").state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)

    models = tmp_path / "models"
    models.mkdir()
    checkpoint = str(tmp_path / "ema.safetensors")
    subprocess.run([sys.executable, "-m", "pico_plugins.export", checkpoint, "--into", str(models)], check=True)
    name = (models / "default").read_text().strip()
    assert json.loads((models / name / "manifest.json").read_text())["training"]["crops"] == "800"


def test_klt_start_is_already_a_codec(data):
    """Before any training the transforms already reconstruct; random ones would not reach 5 dB."""
    crops = Crops(load_images([data], 64), 64, 0)
    pixels = torch.from_numpy(crops.batch(16)).permute(0, 3, 1, 2).float() / 255
    torch.manual_seed(0)
    model = PicoModel(CPU).eval()
    initialise(model, pixels)
    with torch.no_grad():
        weights = level_weights(torch.full((16,), 7.0), 8)
        y, _ = model.encoder(F.pixel_unshuffle(pixels, 4), weights)
        shown = F.pixel_shuffle(model.decoder(y, weights), 4)
        error = (shown - pixels).square().mean()
    assert -10 * torch.log10(error) > 30


def test_principal_components_are_orthonormal_and_sorted():
    features = torch.randn(4, 6, 8, 8) * torch.tensor([5.0, 1, 2, 4, 3, 0.1]).view(1, 6, 1, 1)
    basis = principal_components(features, 3)
    assert torch.allclose(basis @ basis.t(), torch.eye(3), atol=1e-5)
    assert basis.abs().argmax(1).tolist() == [0, 3, 4]


def test_crops(data):
    images = load_images([data], 64)
    assert len(images) == 3
    batch = Crops(images, 64, 5).batch(10)
    assert batch.shape == (10, 64, 64, 3)
    assert batch.dtype == np.uint8
    assert np.array_equal(batch, Crops(images, 64, 5).batch(10))
    with pytest.raises(ValueError, match="no image"):
        load_images([data], 5000)


def test_crops_on_a_device_are_those_of_the_host(data):
    """The same places, mirrored and turned alike; reduced ones differ by the rounding of two resampling kernels."""
    images = [np.dstack([image, image[..., :1] // 128 * 255]) for image in load_images([data], 64)]
    size = (64, 120)
    host, device = Crops(images, size, 5).stream(60, 3), DeviceCrops(images, size, 5).stream(60, 3)
    for _ in range(2):
        ours, theirs = next(device), next(host)
        assert ours.shape == theirs.shape == (60, 4, 64, 120)
        difference = (ours - theirs)[:, :3].abs()
        assert difference.max() < 12 / 255 and difference.mean() < 0.5 / 255
        assert (ours - theirs)[:, 3].abs().mean() < 0.02
    places = Crops(images, size, 5).places(400, 0)
    assert {True, False} == {place.turned for place in places} == {place.mirrored for place in places}


def test_photos_arrive_while_a_run_goes_on(data, tmp_path, photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(ValueError, match="no image"):
        Photos([folder], 64)
    Image.fromarray(photo[:100, :100]).save(folder / "a.png")
    photos = Photos([folder], 64)
    crops = Crops(photos.images, 64, 0)
    assert {place.image for place in crops.places(50, 0)} <= {-1, 0}
    whole = (folder / "a.png").read_bytes()
    (folder / "b.png").write_bytes(whole[: len(whole) // 2])  # still being written
    assert photos.scan() == 0
    (folder / "b.png").write_bytes(whole)
    assert photos.scan() == 1
    assert photos.scan() == 0
    assert 1 in {place.image for place in crops.places(50, 0)}


def test_a_step_with_gradients_that_are_no_numbers_is_left_out():
    model = torch.nn.Linear(3, 1)
    optimizer = adam(model.parameters(), 0.1, (0.9, 0.98))
    before = model.weight.detach().clone()
    (model(torch.full((2, 3), torch.inf)).sum() * 0).backward()
    norm, skipped = step_if_finite(optimizer, 5.0)
    assert not norm.isfinite() and skipped == 1 and torch.equal(model.weight, before)
    optimizer.zero_grad()
    model(torch.ones(2, 3)).sum().backward()
    assert step_if_finite(optimizer, 5.0)[1] == 0 and not torch.equal(model.weight, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_captured_step_is_the_eager_one(data, tmp_path):  # pragma: no cover
    losses = {}
    for name, more in (("eager", []), ("graph", ["--graph"])):
        command = [sys.executable, "-m", "pico_plugins.training", str(data), "--out", str(tmp_path / name), *more]
        command += ["--preset", "tiny", "--crop", "64", "--batch", "4", "--max-steps", "100", "--device", "cuda"]
        subprocess.run(command, check=True)
        losses[name] = json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0])["loss"]
    assert losses["graph"] == pytest.approx(losses["eager"], rel=0.02)


def test_some_crops_are_flat(data):
    batch = Crops(load_images([data], 64), 64, 1).batch(600)
    flat = [crop for crop in batch if (crop == crop[0, 0]).all()]
    assert 1 <= len(flat) <= 20


def test_structural_similarity_is_that_of_pytorch_msssim():
    from pytorch_msssim import ms_ssim

    torch.manual_seed(0)
    pixels = F.interpolate(torch.rand(3, 3, 24, 24), (192, 208), mode="bilinear")
    shown = (pixels + torch.tensor([0.01, 0.05, 0.3]).view(3, 1, 1, 1) * torch.randn_like(pixels)).requires_grad_()
    theirs = ms_ssim(shown[:, :1], pixels[:, :1], data_range=1.0, size_average=False)
    ours = structural_similarity(shown[:, 0], pixels[:, 0])
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    (gradient,), (expected,) = (torch.autograd.grad(value.sum(), shown, retain_graph=True) for value in (ours, theirs))
    torch.testing.assert_close(gradient, expected, rtol=1e-2, atol=1e-7)


def test_loss_weighs_levels():
    level = torch.tensor([0.0, 7.0])
    low, high = level_lambda(level, 8).tolist()
    assert (low, high) == pytest.approx((0.0003, 0.25))
    from pico_plugins.network import Coded

    pixels = torch.zeros(2, 3, 64, 64)
    previews = [torch.zeros(2, 3, side, side) for side in (8, 16)]
    coded = Coded(pixels + 0.1, torch.full((2,), 4096.0), torch.zeros(2), torch.zeros(2, 4, 4, 4), previews)
    distortion, parts = faithful_distortion(coded.pixels, pixels, 0.0)
    loss, rate = rate_distortion(coded, pixels, level, 8, distortion)
    assert rate["bpp"].tolist() == [1, 1]
    assert parts["mse"].tolist() == pytest.approx([0.01, 0.01])
    expected = np.mean([(1 + weight * 255**2 * 0.01) / weight**0.5 for weight in (low, high)])
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_learning_rate_warms_up_and_decays():
    assert learning_rate(1.0, 0, 0.0, 0.5) == pytest.approx(1 / 200)
    assert learning_rate(1.0, 500, 0.4, 0.5) == 1
    assert learning_rate(1.0, 500, 0.75, 0.5) == pytest.approx(0.505)
    assert learning_rate(1.0, 500, 1.0, 0.5) == pytest.approx(0.01)


@pytest.mark.parametrize(("capability", "dtype"), [("AVX512", torch.bfloat16), ("AVX2", torch.float32)])
def test_precision_is_reduced_only_where_the_cpu_is_faster_at_it(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with reduced_precision():
        assert F.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1)).dtype == dtype
