"""The candidates for the next model can go on from the present one's weights."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from pico_plugins.backends.onnxruntime import OnnxRuntimeNetworks
from pico_plugins.export.bundle import write_networks
from pico_plugins.network import BRANCHES, CPU, DETAIL, PRESETS, PicoModel
from pico_plugins.network.complexity import kmac_per_pixel
from pico_plugins.training.klt import initialise
from pico_plugins.training.loss import Faithful
from pico_plugins.training.step import Step, adam
from pico_plugins.training.tensors import to_tensor
from pico_plugins.training.transplant import transplant

NEW = {
    "cpu-decoder": ("decoder.eighth.blocks.1.project.weight", ()),
    "cpu-context": ("context.steps.1.head.weight", (slice(None), slice(160, None))),
    "cpu-encoder": ("encoder.to_sixteenth.conv.weight", (slice(None), slice(4 * 96, None))),
    "cpu-latents": ("scale_decoder.head.bias", (slice(320, None),)),
    "cpu-all": ("scale_decoder.head.bias", (slice(320, None),)),
}
"""A parameter of each that the CPU preset lacks, or the part of one, that learns in the first step."""


@pytest.fixture(scope="module")
def pixels(photo):
    return to_tensor(np.stack([photo[:128, :128], photo[100:228, 200:328]]))


@pytest.fixture(scope="module")
def present(pixels):
    """A model of the CPU preset with the detail branch, all of whose parts do something."""
    torch.manual_seed(0)
    model = PicoModel(replace(CPU, detail=DETAIL)).eval()
    initialise(model, pixels)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("scale_decoder") and name != "z_index":
                parameter.add_(0.01 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def coded(model, pixels):
    found = model(pixels, torch.tensor([2.0, 6.5]), torch.ones(2))
    return [found.pixels, found.perceptual, *found.previews, found.y_bits, found.z_bits]


@pytest.mark.parametrize("name", NEW)
def test_goes_on_from_the_present_weights(present, pixels, name, tmp_path):
    config = replace(PRESETS[name], detail=BRANCHES["wide"])
    torch.manual_seed(0)
    model = transplant(present, config, pixels).eval()
    for now, before in zip(coded(model, pixels), coded(present, pixels), strict=True):
        torch.testing.assert_close(now, before, rtol=1e-4, atol=1e-4)

    write_networks(model, tmp_path)
    networks = OnnxRuntimeNetworks(tmp_path, 1)
    y, z = networks.analyse(np.zeros((64, 64, 3), np.uint8), 3.0)
    assert y.shape == (config.latents, 4, 4)
    symbols = networks.quantize(z, y, np.ones((4 * config.latents, 2, 2), bool), 3.0)
    latents = networks.dequantize(z, symbols, 3.0)
    assert networks.synthesise(latents, 3.0, 1.0).shape == (64, 64, 3)

    recipe = Faithful(0.0)
    recipe.begin(model)
    parameter, part = NEW[name]
    before = model.get_parameter(parameter).detach().clone()
    found = Step(model.train(), recipe, adam(recipe.groups(model), 5e-4, (0.9, 0.98)))(pixels, torch.tensor([2.0, 6.5]))
    assert found["skipped"] == 0
    assert found["norm"] > 0
    assert (model.get_parameter(parameter) != before)[part].any()


def test_they_cost_what_they_are_meant_to():
    cost = {name: kmac_per_pixel(PicoModel(PRESETS[name])) for name in ("cpu", *NEW)}
    assert cost["cpu-decoder"]["decoder"] == pytest.approx(8.5, abs=0.1)
    assert 7.5 < cost["cpu-encoder"]["encoder"] < 8.0
    assert 1.5 * cost["cpu"]["context"] < cost["cpu-context"]["context"] < 1.8
    wide = kmac_per_pixel(PicoModel(replace(CPU, detail=BRANCHES["wide"])))
    assert wide["detail"] == pytest.approx(26, abs=0.1)
