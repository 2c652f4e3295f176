"""Weights moved into another configuration, and what each block is good for."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from pico_plugins.network import TINY, PicoModel, Stage
from pico_plugins.network.level import level_weights
from pico_plugins.training.klt import initialise
from pico_plugins.training.tensors import to_tensor
from pico_plugins.training.transplant import channel_importance, transplant
from pico_plugins.training.trials.ablate import without_each_block


@pytest.fixture
def pixels(photo):
    return to_tensor(np.stack([photo[:64, :64], photo[100:164, 200:264]]))


@pytest.fixture
def model(pixels):
    torch.manual_seed(0)
    model = PicoModel(TINY).eval()
    initialise(model, pixels)
    with torch.no_grad():
        for step in model.context.steps:
            step.mix.bias.normal_()
            step.head.weight.normal_(std=0.1)
    return model


@torch.no_grad()
def shown(model, pixels):
    torch.manual_seed(1)
    return model(pixels, torch.tensor([2.0, 4.0])).pixels


def test_the_same_configuration_is_the_same_model(model, pixels):
    assert torch.equal(shown(transplant(model, TINY, pixels).eval(), pixels), shown(model, pixels))


def test_new_blocks_begin_as_identities_and_absent_ones_are_dropped(model, pixels):
    without = replace(TINY, encoder=tuple(replace(stage, blocks=0) for stage in TINY.encoder))
    dense = replace(TINY, encoder=tuple(replace(stage, depthwise=False, e=2) for stage in TINY.encoder))
    expected = shown(transplant(model, without, pixels).eval(), pixels)
    assert not torch.equal(expected, shown(model, pixels))
    torch.testing.assert_close(shown(transplant(model, dense, pixels).eval(), pixels), expected)


def test_a_narrower_context_keeps_the_channels_that_matter(model, pixels):
    with torch.no_grad():
        for step in model.context.steps:
            step.head.weight[:, ::2] = 0  # those channels move nothing ...
            step.hidden.weight[1::2, ::2] = 0  # ... not even through the others
    importance = channel_importance(model, pixels)
    steps = [importance[step] for step in model.context.steps]
    assert all((values[::2] == 0).all() and (values[1::2] > 0).all() for values in steps)
    narrow = transplant(model, replace(TINY, context_channels=8), pixels).eval()
    torch.testing.assert_close(shown(narrow, pixels), shown(model, pixels))


def test_a_thinner_dense_block_keeps_the_channels_that_matter(pixels):
    torch.manual_seed(0)
    thick = replace(TINY, decoder=tuple(replace(stage, depthwise=False, e=2) for stage in TINY.decoder))
    model = PicoModel(thick).eval()
    with torch.no_grad():
        for stage in (model.decoder.quarter, model.decoder.eighth, model.decoder.sixteenth):
            stage.blocks[0].expand.weight[:, 1::2] = 0
            stage.blocks[0].project.scale_out.fill_(1)
    thin = replace(TINY, decoder=tuple(replace(stage, depthwise=False, e=1) for stage in TINY.decoder))
    narrow = transplant(model, thin, pixels).eval()
    assert narrow.decoder.eighth.blocks[0].gather.weight.shape[0] == TINY.decoder[1].channels
    torch.testing.assert_close(shown(narrow, pixels), shown(model, pixels))


def test_convolutions_at_the_latents_go_into_their_neighbours(pixels):
    """The same function, as long as the stage between did nothing."""
    torch.manual_seed(0)
    sides = {side: (*getattr(TINY, side)[:2], Stage(32, 0)) for side in ("encoder", "decoder")}
    model = PicoModel(replace(TINY, **sides)).eval()
    with torch.no_grad():
        model.encoder.head.bias.normal_()
    direct = transplant(model, replace(model.config, latent_convolutions=False), pixels).eval()
    assert not any(name.startswith(("encoder.head", "decoder.tail")) for name, _ in direct.named_parameters())
    torch.testing.assert_close(shown(direct, pixels), shown(model, pixels), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="as many channels as there are latents"):
        replace(direct.config, latents=16)


def block(channels: int, count: int = 1) -> Stage:
    return Stage(channels, count, depthwise=False, f=1)


DIRECT = replace(
    TINY,
    encoder=(Stage(16, 1), block(24), Stage(32, 0)),
    decoder=(Stage(16, 0), block(24), Stage(32, 0)),
    latent_convolutions=False,
    detail=(block(12), block(16)),
    eye_encoder=(Stage(16, 1), block(24), Stage(32, 0)),
)


@pytest.fixture
def direct(pixels):
    """Every part is there, and what it does is not nothing."""
    torch.manual_seed(0)
    model = PicoModel(DIRECT).eval()
    initialise(model, pixels)
    model.eye_encoder.load_state_dict(model.encoder.state_dict())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("scale_decoder") and name != "z_index":
                parameter.add_(0.02 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def everything(model, pixels):
    found = []
    for tune in ("pixels", "eye"):
        coded = model(pixels, torch.tensor([2.0, 6.5]), torch.ones(2), tune)
        found += [coded.pixels, coded.perceptual, *coded.previews, coded.y_bits, coded.z_bits]
    return found


GROWN = {
    "a stage of the encoder": {"encoder": (Stage(16, 1), block(32, 2), Stage(32, 0))},
    "its first stage": {"encoder": (Stage(20, 2), block(24), Stage(32, 0))},
    "the second encoder": {"eye_encoder": (Stage(20, 1), block(32, 2), Stage(32, 0))},
    "the decoder": {"decoder": (Stage(20, 0), block(28, 2), Stage(32, 0))},
    "the context model": {"context_channels": 24},
    "the prior": {"prior_channels": 20},
    "the hyper-encoder": {"hyper_channels": 20},
    "the hyperlatents": {"hyperlatents": 12},
    "the scale decoder": {"scale_channels": (20, 14, 9)},
    "the detail branch": {"detail": (block(16, 2), block(24, 3))},
    "the latents": {
        "latents": 40,
        **{part: (*getattr(DIRECT, part)[:2], Stage(40, 0)) for part in ("encoder", "decoder", "eye_encoder")},
    },
}
GROWN["all"] = {
    **{name: value for sizes in GROWN.values() for name, value in sizes.items()},
    "encoder": (Stage(20, 2), block(32, 2), Stage(40, 0)),
    "eye_encoder": (Stage(20, 1), block(32, 2), Stage(40, 0)),
    "decoder": (Stage(20, 0), block(28, 2), Stage(40, 0)),
}


@pytest.mark.parametrize("sizes", GROWN.values(), ids=GROWN.keys())
def test_a_wider_model_begins_as_the_same(direct, pixels, sizes):
    wider = transplant(direct, replace(DIRECT, **sizes), pixels).eval()
    for now, before in zip(everything(wider, pixels), everything(direct, pixels), strict=True):
        torch.testing.assert_close(now, before, rtol=1e-4, atol=1e-4)


def test_new_latents_say_what_the_others_leave(direct, pixels):
    wider = transplant(direct, replace(DIRECT, **GROWN["the latents"]), pixels).eval()
    weights, blocks = level_weights(torch.tensor([7.0, 7.0]), 8), F.pixel_unshuffle(pixels, 4)
    with torch.no_grad():
        latents, _ = wider.encoder(blocks, weights)
        known = latents.clone()
        known[:, 32:] = 0.0
        error, left = ((wider.decoder(y, weights) - blocks).square().mean() for y in (known, latents))
    assert left < 0.9 * error
    size = latents[:, 32:].square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(size, wider.context.log_width[-1, 32:].exp(), rtol=1e-3, atol=0.0)


def test_other_differences_are_refused(model, direct, pixels):
    with pytest.raises(ValueError, match=r"encoder\.stem.*channels may be added only"):
        transplant(model, replace(TINY, encoder=(Stage(12, 1), *TINY.encoder[1:])), pixels)
    with pytest.raises(ValueError, match="8 levels cannot become 6"):
        transplant(model, replace(TINY, levels=6), pixels)
    with pytest.raises(ValueError, match="no convolution is between"):
        transplant(model, replace(TINY, latents=40), pixels)
    with pytest.raises(ValueError, match=r"detail\.enter\S+ the old model has nothing like it"):
        transplant(model, replace(TINY, detail=DIRECT.detail), pixels)
    with pytest.raises(ValueError, match=r"encoder\.head\S+ the old model has nothing like it"):
        transplant(direct, replace(DIRECT, latent_convolutions=True), pixels)
    with pytest.raises(ValueError, match="one after the other"):
        transplant(model, replace(DIRECT, detail=None, **GROWN["the latents"] | {"eye_encoder": None}), pixels)


def test_leaving_out_a_block_changes_the_loss(model, pixels):
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    changes = without_each_block(model, [pixels], 0.0)
    assert len(changes) == 6
    assert all(change != 0 for change in changes.values())
    assert all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
