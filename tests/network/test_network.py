from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from pico_plugins.entropy.scale_decoder import ScaleDecoder as IntegerScaleDecoder
from pico_plugins.format.tile_grid import TILE
from pico_plugins.network import DETAIL, PAPER, TINY, ModelConfig, PicoModel
from pico_plugins.network.complexity import kmac_per_pixel, parameters
from pico_plugins.network.context import join_phases, split_phases
from pico_plugins.network.conv_scale import ConvScale, FoldableConv
from pico_plugins.network.depthwise import depthwise
from pico_plugins.network.detail import NOISE_CHANNELS, NOISE_SIDE, NoisePattern
from pico_plugins.network.fold import FoldedConv, fold
from pico_plugins.network.haar import BlockHead, BlockStem, HaarDown, HaarUp, haar
from pico_plugins.network.level import level_weights
from pico_plugins.network.scale_decoder import SCALES, ScaleDecoder, scale_of_index


def randomise(module: torch.nn.Module) -> None:
    """Give every parameter a value that matters (some start at 0 or 1)."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def inverse_haar(x):
    """Written out, for comparison: band sums and differences back to pixels."""
    ll, lh, hl, hh = (x[:, i::4] for i in range(4))
    out = torch.zeros(x.shape[0], x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, 0::2, 0::2] = (ll + lh + hl + hh) / 2
    out[:, :, 0::2, 1::2] = (ll - lh + hl - hh) / 2
    out[:, :, 1::2, 0::2] = (ll + lh - hl - hh) / 2
    out[:, :, 1::2, 1::2] = (ll - lh - hl + hh) / 2
    return out


def test_haar_keeps_energy_and_is_undone():
    x = torch.randn(2, 3, 8, 6)
    assert torch.allclose(haar(x).square().sum(), x.square().sum())
    assert torch.allclose(inverse_haar(haar(x)), x, atol=1e-6)


def test_haar_folded_into_a_convolution_is_haar_then_convolution():
    x = torch.randn(2, 5, 8, 6)
    down = HaarDown(5, 7)
    randomise(down)
    assert torch.allclose(down(x), down.conv(haar(x)), atol=1e-5)
    up = HaarUp(5, 7)
    randomise(up)
    assert torch.allclose(up(x), inverse_haar(up.conv(x)) + up.bias.view(1, -1, 1, 1), atol=1e-5)
    pixels = torch.randn(2, 3, 16, 8)
    stem = BlockStem(9)
    randomise(stem)
    assert torch.allclose(stem(F.pixel_unshuffle(pixels, 4)), stem.conv(haar(haar(pixels))), atol=1e-4)
    head = BlockHead(5)
    randomise(head)
    assert torch.allclose(F.pixel_shuffle(head(x), 4), inverse_haar(inverse_haar(head.conv(x))), atol=1e-5)


def test_conv_scale_is_a_scaled_convolution():
    conv = ConvScale(6, 4, kernel=3, groups=2)
    randomise(conv)
    x = torch.randn(1, 6, 5, 5)
    grouped_in = conv.scale_in.view(1, 3, 1, 1).repeat(1, 2, 1, 1)
    plain = F.conv2d(x * grouped_in, conv.weight, conv.bias, padding=1, groups=2)
    assert torch.allclose(conv(x), plain * conv.scale_out.view(1, -1, 1, 1), atol=1e-5)


def test_folding_changes_nothing_but_the_parameters():
    model = PicoModel(TINY).eval()
    randomise(model)
    folded = fold(model.encoder)
    convolutions = [part for part in folded.modules() if isinstance(part, FoldableConv)]
    assert convolutions and all(isinstance(conv, FoldedConv) for conv in convolutions)
    assert len(list(folded.parameters())) < len(list(model.encoder.parameters()))
    blocks, weights = torch.rand(1, 48, 16, 32), level_weights(torch.tensor([2.5]), 8)
    for a, b in zip(model.encoder(blocks, weights), folded(blocks, weights), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_phases():
    x = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    assert torch.equal(join_phases(split_phases(x)), x)


def test_level_weights_interpolate_between_two_levels():
    weights = level_weights(torch.tensor([0.0, 2.25, 7.0]), 8)
    assert torch.allclose(weights.sum(1), torch.ones(3))
    assert weights[1, 2:4].tolist() == [0.75, 0.25]


def test_a_context_step_sees_only_earlier_phases():
    model = PicoModel(TINY).eval()
    randomise(model)
    z, weights = torch.round(4 * torch.randn(1, TINY.hyperlatents, 2, 2)), level_weights(torch.tensor([1.0]), 8)

    def run(changed: int):
        mus = []

        def reconstruct(phase, mu, q):
            mus.append(mu)
            return mu + (100.0 if phase == changed else 0.0)

        with torch.no_grad():
            model.context(z, weights, reconstruct)
        return mus

    base = run(-1)
    for changed in range(4):
        same = [torch.equal(a, b) for a, b in zip(base, run(changed), strict=True)]
        assert same == [phase <= changed for phase in range(4)]


def test_training_twin_of_the_scale_decoder_computes_the_same_integers():
    torch.manual_seed(0)
    twin = ScaleDecoder(TINY)
    with torch.no_grad():
        for layer in twin.children():
            layer.bias.add_(0.2 * torch.randn_like(layer.bias))
            if layer.level_bias is not None:
                layer.level_bias.add_(0.2 * torch.randn_like(layer.level_bias))
        twin.head.weight *= 3
    tensors = {}
    for name, layer in twin.named_children():
        weight, bias, level_bias = (t if t is None else t.detach().numpy() for t in layer.integers())
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weight.astype(np.int8), bias.astype(np.int32)
        if level_bias is not None:
            tensors[f"{name}.level_bias"] = level_bias.astype(np.int32)
    exact = IntegerScaleDecoder(tensors, SCALES)
    z = torch.round(20 * torch.randn(1, TINY.hyperlatents, 3, 2)).clamp(-127, 127)
    for level in (0, 45, 224):
        weights = level_weights(torch.tensor([level / 32]), 8)
        expected = torch.cat(split_phases(twin(z, weights)), 1)[0].detach().numpy()
        got = exact(z[0].numpy().astype(np.int32), level)
        assert np.array_equal(got, expected)
        assert len(np.unique(got)) > 10


def test_gradients_reach_every_parameter():
    model = PicoModel(TINY)
    randomise(model)
    pixels = torch.rand(2, 3, 64, 64)
    coded = model(pixels, torch.tensor([1.5, 5.0]), torch.tensor([0.5, 1.0]))
    shown = sum(preview.square().sum() for preview in coded.previews)
    (coded.y_bits.sum() + coded.z_bits.sum() + 1e4 * (coded.pixels - pixels).square().sum() + shown).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_hyperlatents_that_are_not_coded_are_zero_in_training_too():
    model, seen = PicoModel(TINY).eval(), []
    randomise(model)
    with torch.no_grad():
        model.z_index[0] = -1.0
    model.scale_decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.rand(1, 3, 128, 128), torch.tensor([5.0]))
    assert not seen[0][:, 0].any()
    assert seen[0][:, 1:].any()


def linear_after_the_eighth() -> PicoModel:
    """As the shipped model is: no blocks at 1/4."""
    model = PicoModel(replace(TINY, decoder=(replace(TINY.decoder[0], blocks=0), *TINY.decoder[1:])))
    model.add_detail()
    return model.eval()


def test_realism_mixes_what_is_faithful_and_what_is_perceptual():
    model = linear_after_the_eighth()
    randomise(model)
    pixels = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        shown = {r: model(pixels, torch.tensor([3.0]), torch.tensor([r])) for r in (0.0, 0.25, 1.0)}
    faithful, perceptual = shown[1.0].pixels, shown[1.0].perceptual
    assert not torch.allclose(faithful, perceptual, atol=1e-2)
    assert torch.allclose(shown[0.0].perceptual, faithful, atol=1e-5)
    assert torch.allclose(shown[0.25].perceptual, 0.75 * faithful + 0.25 * perceptual, atol=1e-4)
    assert all(torch.equal(coded.pixels, faithful) for coded in shown.values())
    assert torch.equal(model(pixels, torch.tensor([3.0])).shown, faithful)


def test_a_new_detail_branch_changes_nothing_and_comes_once():
    model = PicoModel(TINY).eval()
    pixels, level = torch.rand(1, 3, 64, 64), torch.tensor([3.0])
    before = model(pixels, level).pixels
    assert model(pixels, level, torch.ones(1)).perceptual is None
    model.add_detail()
    branch = model.detail
    assert torch.equal(model(pixels, level, torch.ones(1)).perceptual, before)
    model.add_detail()
    assert model.detail is branch
    assert ModelConfig.from_json(model.config.to_json()) == model.config == replace(TINY, detail=DETAIL)
    assert kmac_per_pixel(model).keys() == {"encoder", "context", "decoder", "detail"}


def test_noise_goes_on_across_tiles():
    assert NOISE_SIDE * 8 == TILE


def test_noise_is_random_in_training_and_one_pattern_afterwards():
    model = linear_after_the_eighth()
    randomise(model)
    pixels, level, one = torch.rand(1, 3, 64, 64), torch.tensor([3.0]), torch.ones(1)
    assert torch.equal(model(pixels, level, one).perceptual, model(pixels, level, one).perceptual)
    model.train()
    assert not torch.equal(model(pixels, level, one).perceptual, model(pixels, level, one).perceptual)
    noise = NoisePattern()(torch.zeros(1, 5, 70, 130))
    assert noise.shape == (1, NOISE_CHANNELS, 70, 130)
    assert torch.equal(noise, noise.half().float())
    assert torch.equal(noise[..., :67], noise[..., 63:]) and torch.equal(noise[:, :, :7], noise[:, :, 63:])
    assert noise.mean().abs() < 0.01 and noise.std() == pytest.approx(1, abs=0.01)
    assert noise[0, 0, 0, 0] == pytest.approx(1.764, abs=1e-3)  # NumPy's first number of seed 0


def test_scales_are_logarithmic():
    scales = scale_of_index(torch.arange(float(SCALES)))
    assert scales[0] == pytest.approx(0.144)
    assert scales[-1] == pytest.approx(60, rel=1e-4)
    assert torch.allclose(scales[1:] / scales[:-1], scales[1] / scales[0])


def test_config_survives_json():
    assert ModelConfig.from_json(PAPER.to_json()) == PAPER
    with pytest.raises(TypeError):
        ModelConfig.from_json('{"encoder": [], "decoder": [], "scale_channels": [], "depth": 3}')


def test_paper_sizes():
    """15.2 M and 9.6 M parameters, 33-48 kMAC per pixel in the decoder."""
    model = PicoModel(PAPER)
    assert parameters(model.encoder) / 1e6 == pytest.approx(15.2, rel=0.03)
    assert parameters(model.decoder) / 1e6 == pytest.approx(9.6, rel=0.03)
    assert 33 <= kmac_per_pixel(model)["decoder"] <= 48
    coded = model(torch.rand(1, 3, 64, 64), torch.tensor([3.0]))
    assert coded.pixels.shape == (1, 3, 64, 64)


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_depthwise_is_a_grouped_convolution(kernel):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 9, 12).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = torch.randn(8, 1, kernel, kernel, requires_grad=True), torch.randn(8, requires_grad=True)
    ours = depthwise(x, weight, bias)
    theirs = F.conv2d(x, weight, bias, padding=kernel // 2, groups=8)
    torch.testing.assert_close(ours, theirs)
    pull = torch.randn_like(ours)
    gradients, expected = (torch.autograd.grad((y * pull).sum(), (x, weight, bias)) for y in (ours, theirs))
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-4)
