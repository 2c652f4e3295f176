"""Each feature of the architecture can be switched off, and that alone changes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pico_plugins.network import TINY, PicoModel
from pico_plugins.training.klt import initialise
from pico_plugins.training.tensors import to_tensor
from pico_plugins.training.trials.features import VARIANTS


@pytest.fixture
def pixels(photo):
    return to_tensor(np.stack([photo[:64, :64], photo[100:164, 200:264]]))


def altered(name, pixels):
    torch.manual_seed(0)
    model = PicoModel(TINY)
    initialise(model, pixels)
    with torch.no_grad():
        for step in model.context.steps:
            step.head.weight.normal_(std=0.05)
            step.mix.bias.normal_()
    VARIANTS[name](model)
    return model


def coded(model, pixels):
    torch.manual_seed(1)
    return model(pixels, torch.tensor([2.0, 4.0]))


@pytest.mark.parametrize("name", ["no ConvScale", "no Haar"])
def test_the_start_is_the_same_function(name, pixels):
    expected = coded(altered("everything", pixels), pixels).pixels
    torch.testing.assert_close(coded(altered(name, pixels), pixels).pixels, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["no context", "no learned quantization width"])
def test_what_the_step_says_is_another(name, pixels):
    shown = coded(altered(name, pixels), pixels).pixels
    assert not torch.allclose(shown, coded(altered("everything", pixels), pixels).pixels, atol=1e-3)


def test_no_scale_of_a_convolution_is_learned_without_conv_scale(pixels):
    model = altered("no ConvScale", pixels)
    coded(model, pixels).pixels.sum().backward()
    for name, parameter in model.named_parameters():
        if name.endswith(("scale_in", "scale_out")):
            assert parameter.grad is None
    assert model.decoder.tail.weight.grad is not None


def test_without_haar_the_parameters_are_the_folded_weights(pixels):
    model = altered("no Haar", pixels)
    down = model.encoder.to_eighth
    weight, _ = down.folded()
    assert torch.allclose(weight.flatten(1), (down.conv.weight * down.conv.scale_in).flatten(1))
