"""Phase 2 works: a few steps of a tiny model, and each of its terms on its own."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from pico_plugins.network import BRANCHES, DETAIL, TINY, PicoModel
from pico_plugins.network.weights_file import load_model
from pico_plugins.training.checkpoint import load_state
from pico_plugins.training.data import Crops, load_images
from pico_plugins.training.discriminator import Discriminator, gradient_penalty
from pico_plugins.training.feature_terms import cut_part, look_closer
from pico_plugins.training.klt import initialise
from pico_plugins.training.objective import BOTH, EYE, OBJECTIVES, TERMS, Term, weight_at, with_weights
from pico_plugins.training.pattern import colour_loss, pattern_loss
from pico_plugins.training.perceptual import DETAIL_PACE, Perceptual
from pico_plugins.training.tensors import to_tensor
from pico_plugins.training.text_masks import TextMasks
from pico_plugins.training.tiling import join_pairs, pair_width, seam_error, split_pairs, tiling_loss


@pytest.fixture(scope="module")
def data(tmp_path_factory, photo):
    """Images, and masks for them: the left half of each is text."""
    folder, masks = tmp_path_factory.mktemp("data"), TextMasks(tmp_path_factory.mktemp("masks"))
    for i, (top, left) in enumerate(((0, 0), (150, 200))):
        path = folder / f"{i}.png"
        Image.fromarray(photo[top : top + 200, left : left + 260]).save(path)
        mask = np.zeros((32, 32), np.uint8)
        mask[:, :16] = 255
        Image.fromarray(mask).save(masks.path(path))
    return folder, masks


def crops(data, count: int = 2, window: int = 64) -> torch.Tensor:
    size = (window, pair_width(window))
    return to_tensor(Crops(load_images([data[0]], size, data[1]), size, 3).batch(count))


@pytest.fixture
def model(data):
    torch.manual_seed(0)
    model = PicoModel(TINY)
    initialise(model, split_pairs(crops(data)[:, :3]))
    return model


def recipe(*terms: str, adversary_from: int = 0, **options) -> Perceptual:
    """Of ``terms`` alone, and phase 1's distortion."""
    objective = {name: BOTH[name] for name in ("faithful", *terms)}
    return Perceptual(TINY, objective, adversary_from=adversary_from, **options)


def step(chosen: Perceptual, model: PicoModel, batch: torch.Tensor, level: torch.Tensor):
    """Loss and parts of one step of ``chosen``, which has not learned from them yet."""
    chosen.prepare()
    return chosen.loss(model, batch, level)


def test_masks_follow_their_images_through_crops(data):
    images = load_images([data[0]], 64, data[1])
    assert all(image.shape[2] == 4 for image in images)
    assert all((image[:, :130, 3] == 255).all() and (image[:, 130:, 3] == 0).all() for image in images)
    batch = Crops(images, (64, 120), 1).batch(40)
    assert batch.shape == (40, 64, 120, 4)
    photos = batch[np.ptp(batch[..., :3].astype(int), axis=(1, 2, 3)) > 0]
    text = photos[..., 3].astype(int)
    # Columns are text or not, up to the edge of the mask; in crops that are turned, rows.
    straight, turned = (np.ptp(text, axis=axis).max(axis=1) <= 128 for axis in (1, 2))
    assert (straight | turned).all() and straight.sum() > 20
    assert {0, 255} <= set(np.unique(text))
    assert np.array_equal(batch, Crops(images, (64, 120), 1).batch(40))


def test_pairs_overlap_as_tiles_do_and_join_without_a_gap():
    wide = torch.arange(120.0).expand(2, 3, 64, 120)
    windows = split_pairs(wide)
    assert windows.shape == (4, 3, 64, 64)
    assert windows[0, 0, 0, -8:].tolist() == windows[2, 0, 0, :8].tolist()
    assert torch.equal(join_pairs(windows), wide)


def test_tiling_terms_see_slow_errors_and_seams_only():
    torch.manual_seed(0)
    pixels = torch.zeros(1, 3, 64, 120)
    noise = 0.1 * torch.randn(1, 3, 64, 120)
    step = torch.zeros(1, 3, 64, 120)
    step[..., 60:] = 0.1
    assert tiling_loss(noise, pixels) < 0.01
    assert tiling_loss(step, pixels) == pytest.approx(0.05, abs=0.01)
    assert seam_error(step, pixels) == pytest.approx(0.1, abs=1e-6)
    assert seam_error(pixels + 0.1, pixels) == pytest.approx(0, abs=1e-6)
    assert seam_error(noise, pixels) < 0.01


def test_the_pattern_term_sees_what_repeats_and_neither_grain_nor_slow_changes():
    torch.manual_seed(0)
    grain = torch.randn(2, 3, 256, 256) / 255
    square = torch.randn(1, 3, 16, 16) / 255
    square = square - square.mean((2, 3), keepdim=True)
    turning = torch.cat([torch.cat([square, -square], 3), torch.cat([-square, square], 3)], 2)
    slow = (torch.arange(256) // 64 / 255.0).expand(2, 3, 256, 256)
    power = pytest.approx(255**2 * square.square().mean().item(), rel=1e-4)
    assert pattern_loss(square.repeat(2, 1, 16, 16)) == power
    assert pattern_loss(turning.repeat(2, 1, 8, 8) + slow) == power  # with the sign turned from square to square, too
    assert pattern_loss(turning.repeat(2, 1, 8, 8) + grain) == pytest.approx(power.expected, rel=0.05)
    assert (pattern_loss(grain) < 0.01).all()
    assert pattern_loss(slow) == pytest.approx(0, abs=1e-6)


def test_the_colour_term_sees_what_is_not_common_to_all_colours():
    gray = torch.rand(2, 1, 64, 64).expand(2, 3, 64, 64)
    assert colour_loss(gray) == pytest.approx(0, abs=1e-6)
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = 3 / 255
    assert colour_loss(red).item() == pytest.approx((2**2 + 1 + 1) / 3, rel=1e-4)


def test_features_are_never_compared_at_one_place_only():
    """The same part of both, enlarged; over many looks every alignment to a grid of 4 x 4 pixels comes up."""
    torch.manual_seed(0)
    ramp = torch.arange(64.0).expand(50, 3, 64, 64)
    firsts = set()
    for _ in range(4):
        a, b = look_closer(ramp, ramp + 100)
        assert a.shape == ramp.shape
        assert torch.allclose(b - a, torch.tensor(100.0), atol=1e-3)
        for row in a[:, 0, 0]:
            assert (row.diff() >= -1e-4).all() and 30 < row[-1] - row[0] < 64
            firsts.add(round(float(row[0])) % 4)
    assert firsts == {0, 1, 2, 3}


def test_vgg16_sees_pixels_as_they_are():
    """A part at whole pixels, another one for each window."""
    torch.manual_seed(0)
    windows = torch.rand(40, 3, 64, 64)
    part, again = cut_part(windows, windows)
    assert part.shape == (40, 3, 48, 48) and torch.equal(part, again)
    places = set()
    for window, seen in zip(windows, part, strict=True):
        found = [
            (top, left)
            for top in range(17)
            for left in range(17)
            if torch.allclose(window[:, top : top + 48, left : left + 48], seen, atol=1e-4)
        ]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 20


def test_weights_of_an_objective():
    changed = with_weights(EYE, ("wd=12", "adversary=15:0.25", "text=0"))
    assert changed["wd"] == Term(12.0, EYE["wd"].fall)
    assert changed["adversary"] == Term(15.0, 0.25)
    assert "text" not in Perceptual(TINY, changed).objective
    assert EYE["wd"].weight == 26.0  # unchanged
    assert all(set(objective) <= set(TERMS) for objective in OBJECTIVES.values())
    for wrong in ("wd", "wd=x", "sharpness=1"):
        with pytest.raises(ValueError, match="is no weight"):
            with_weights(EYE, (wrong,))
    level = torch.tensor([3.0, 7.0])
    assert weight_at(Term(2.0), level, 8).tolist() == [2.0, 2.0]
    assert weight_at(Term(2.0, 0.5), level, 8).tolist() == pytest.approx([2.0, 2.0 * (1 / 46.6) ** 0.5], rel=1e-2)


@pytest.mark.parametrize("term", ["squared", "tiling", "text", "adversary"])
def test_each_term_reaches_the_detail_and_the_latents(data, model, term):
    batch, level = crops(data), torch.tensor([2.0, 3.0])
    gradients = []
    for terms in ((), (term,)):
        torch.manual_seed(5)  # the same adversary, the same noise
        chosen = recipe(*terms, adversary_from=-1)
        chosen.begin(model)
        model.zero_grad()
        loss, parts = step(chosen, model, batch, level)
        loss.backward()
        gradients.append((model.detail.leave.weight.grad, model.encoder.head.weight.grad.clone()))
    assert parts[f"{term} r=1"].shape == (4,)
    (no_detail, latents), (detail, pulled) = gradients
    assert no_detail is None or not no_detail.any()
    assert detail.any()
    assert not torch.equal(latents, pulled)


def test_the_pattern_term_keeps_the_detail_from_repeating(data, model):
    """A few steps for it alone undo what is added everywhere alike; what differs from place to place may stay."""
    torch.manual_seed(0)
    chosen, batch, level = recipe("pattern"), crops(data, window=128), torch.tensor([2.0, 3.0])
    chosen.begin(model)
    torch.nn.init.normal_(model.detail.leave.weight, 0, 0.01)
    optimizer, found = torch.optim.Adam(model.detail.leave.parameters(), 1e-3), []
    for _ in range(30):
        optimizer.zero_grad()
        loss, parts = step(chosen, model, batch, level)
        loss.backward()
        optimizer.step()
        found.append(parts["pattern r=1"].mean().item())
    assert found[0] > 1
    assert found[-1] < 0.3 * found[0]


def test_detail_only_leaves_files_and_their_faithful_decoding_as_they_are(data, model):
    chosen = recipe("squared", learning=("detail",))
    chosen.begin(model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(chosen.groups(model), 1e-3)
    loss, _ = step(chosen, model, crops(data), torch.tensor([2.0, 3.0]))
    loss.backward()
    optimizer.step()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved and all(name.startswith("detail.") for name in moved)


@pytest.mark.parametrize(
    ("learning", "moving"),
    [
        (("eye-encoder",), {"eye_encoder"}),
        (("eye-encoder", "detail"), {"eye_encoder", "detail"}),
        (("eye-encoder", "detail", "rest"), {"eye_encoder", "detail", "encoder", "decoder", "context"}),
    ],
)
def test_what_learns_when_a_second_encoder_does(data, model, learning, moving):
    """Without the rest, files tuned for pixels and their decoding do not change by a bit."""
    chosen, batch, level = recipe("squared", learning=learning), crops(data), torch.tensor([2.0, 3.0])
    chosen.begin(model)
    assert torch.equal(model.eye_encoder.head.weight, model.encoder.head.weight)
    with torch.no_grad():
        torch.nn.init.normal_(model.detail.leave.weight, 0, 0.01)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.Adam(chosen.groups(model), 1e-3)
    loss, parts = step(chosen, model, batch, level)
    loss.backward()
    optimizer.step()
    moved = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moving <= moved and ("rest" in learning or moved == moving)
    assert ("mse" in parts) == ("rest" in learning)  # then the first encoder learns its own loss beside it
    model.eval()
    with torch.no_grad():
        for tune in ("pixels", "eye"):
            same = model(batch[:, :3, :, :64], level, tune=tune)
            assert same.pixels.shape == (2, 3, 64, 64)
    with pytest.raises(ValueError, match="'film'"):
        model(batch[:, :3, :, :64], level, tune="film")


def test_the_faithful_decoding_is_not_the_perceptual_terms_business(data, model):
    """Behind the decoder's features at 1/8 the branch is added to, its weights are moved by both; the branch by one."""
    chosen, level = recipe(), torch.tensor([2.0, 3.0])
    chosen.begin(model)
    torch.nn.init.normal_(model.detail.leave.weight, 0, 0.01)
    loss, parts = step(chosen, model, crops(data), level)
    loss.backward()
    assert model.detail.leave.weight.grad is None or not model.detail.leave.weight.grad.any()
    assert model.decoder.head.conv.weight.grad.any()
    assert parts["mse"].shape == (4,)


def test_the_adversary_begins_late_and_learns_to_tell(data, model):
    torch.manual_seed(0)
    chosen, batch, level = recipe("adversary", adversary_from=0), crops(data, 4), torch.full((4,), 1.0)
    chosen.begin(model)
    batch[:, 3] = 0.0  # no text
    assert "adversary r=1" not in step(chosen, model, batch, level)[1]
    chosen.learn()
    before = {name: value.clone() for name, value in chosen.discriminator.state_dict().items()}
    step(chosen, model, batch, level)
    assert all(torch.equal(before[name], value) for name, value in chosen.discriminator.state_dict().items())
    chosen.learn()
    assert not all(torch.equal(before[name], value) for name, value in chosen.discriminator.state_dict().items())
    found, warm = [], []
    for _ in range(60):
        found.append(step(chosen, model, batch, level)[1]["adversary r=1"].mean().item() / chosen._warmth.item())
        warm.append(chosen._warmth.item())
        chosen.learn()
    assert np.mean(found[-10:]) > 1.2 * np.log(2)  # which it would be by guessing
    assert warm[0] == pytest.approx(2 / 2000) and warm[-1] == pytest.approx(61 / 2000)


def test_the_adversary_is_as_large_as_it_may_be():
    adversary = Discriminator(320, 8)
    assert 2.5e6 < sum(parameter.numel() for parameter in adversary.parameters()) < 3.5e6
    logits = adversary(torch.rand(2, 3, 128, 64), torch.zeros(2, 320, 8, 4), torch.zeros(2, 8))
    assert logits.shape == (2, 1, 16, 8)


def test_the_adversary_is_held_on_both_sides(data, model, monkeypatch):
    """The penalty is taken of originals (R1) and of decoded windows (R2), every eighth step."""
    from pico_plugins.training import perceptual

    seen = []
    penalty = perceptual.gradient_penalty
    monkeypatch.setattr(perceptual, "gradient_penalty", lambda *given: seen.append(given[1]) or penalty(*given))
    chosen, batch, level = recipe("adversary", adversary_from=-2000), crops(data), torch.tensor([2.0, 3.0])
    chosen.begin(model)
    for number in range(9):
        step(chosen, model, batch, level)
        chosen.learn()
        assert len(seen) == (2 if number < 8 else 4)
    original, decoded = seen[:2]
    assert torch.equal(original, split_pairs(batch[:, :3]))
    assert not torch.equal(original, decoded)


def test_the_branch_learns_faster_than_what_it_is_added_to(model):
    chosen = recipe()
    chosen.begin(model)
    paces = {id(parameter): group["pace"] for group in chosen.groups(model) for parameter in group["params"]}
    assert len(paces) == len(list(model.parameters())) == sum(len(group["params"]) for group in chosen.groups(model))
    assert {paces[id(parameter)] for parameter in model.detail.parameters()} == {DETAIL_PACE}
    assert paces[id(model.encoder.head.weight)] == 1.0


def test_letters_are_left_alone_by_the_adversary(data, model):
    """Where everything is text, it has nothing to say."""
    chosen, batch, level = recipe("adversary", adversary_from=-2000), crops(data), torch.tensor([2.0, 3.0])
    chosen.begin(model)
    batch[:, 3] = 1.0
    assert not step(chosen, model, batch, level)[1]["adversary r=1"].any()
    batch[:, 3] = 0.0
    assert step(chosen, model, batch, level)[1]["adversary r=1"].all()


def test_gradient_penalty():
    """Of a discriminator whose every patch is the sum of its 8 x 8 pixels, 3 colours, times 2."""
    pixels = torch.rand(2, 3, 16, 24, requires_grad=True)
    logits = 2 * 64 * torch.nn.functional.avg_pool2d(pixels, 8).sum(1, keepdim=True)
    assert gradient_penalty(logits, pixels).item() == pytest.approx(4 * 64 * 3)


def test_artifacts_are_measured(data, model, monkeypatch, tmp_path):
    """Seams on photos, letters on what the detector (here: a half of the image) finds."""
    from click.testing import CliRunner

    from pico_plugins.network.weights_file import save_weights
    from pico_plugins.training.trials import artifacts

    with Image.open(data[0] / "0.png") as image:
        image.resize((600, 400)).save(tmp_path / "0.png")
    monkeypatch.setattr(artifacts, "text_mask", lambda image: np.repeat([[0, 255]], 2, axis=0).astype(np.uint8))
    pages, masks = artifacts.with_most_text([tmp_path / "0.png"])
    assert pages.shape == (1, 3, 256, 504)
    assert 0.3 < masks.mean() < 0.7
    assert artifacts.text_error(pages + 0.1 * masks, pages, masks) == pytest.approx(0.1, abs=1e-4)
    save_weights(tmp_path / "a.safetensors", dict(model.named_parameters()), TINY)
    arguments = [str(tmp_path / "a.safetensors"), "--photos", str(tmp_path), "--text", str(tmp_path)]
    result = CliRunner().invoke(artifacts.main, arguments, catch_exceptions=False)
    assert [line.split(":")[0].strip() for line in result.output.splitlines()[1:]] == ["level 1", "level 3", "level 5"]


def test_train_then_resume(data, tmp_path, model):
    """Twenty steps in one go are ten, a save, a load and ten more."""
    from pico_plugins.network.weights_file import save_weights

    save_weights(tmp_path / "start.safetensors", dict(model.named_parameters()), TINY)
    command = [sys.executable, "-m", "pico_plugins.training", str(data[0]), "--crop", "64", "--batch", "4"]
    command += ["--perceptual", str(data[1].folder), "--start", str(tmp_path / "start.safetensors")]
    command += ["--weight", "wd=0", "--weight", "lpips-vgg=0", "--weight", "lpips-alex=0", "--weight", "adversary=15"]
    command += ["--adversary-from", "0", "--max-steps", "20", "--minutes", "600", "--decay-from", "0.5"]
    states = {}
    for name, stops in (("once", ["20"]), ("twice", ["10", "20"])):
        for stop in stops:
            run = ["--out", str(tmp_path / name), "--stop-after", stop]
            # A save rounds what it saves; both runs save once at step 10, the one where its rate begins to fall.
            subprocess.run([*command, *run], check=True)
        states[name] = load_state(tmp_path / name / "state.pt")
        assert (tmp_path / name / "before-decay.pt").exists()
    assert states["once"]["step"] == states["once"]["recipe"]["steps"] == 20
    assert len(states["once"]["recipe"]["optimizer"]["state"]) > 0  # the adversary has learned

    def compare(a, b) -> int:
        if isinstance(a, dict):
            assert a.keys() == b.keys()
            return sum(compare(a[key], b[key]) for key in a if key != "seconds")
        if isinstance(a, torch.Tensor):
            assert torch.equal(a, b)
            return 1
        if isinstance(a, list):
            return sum(compare(x, y) for x, y in zip(a, b, strict=True))
        assert a == b
        return 0

    assert compare(states["once"], states["twice"]) > 200
    trained = load_model(tmp_path / "twice" / "ema.safetensors")
    assert trained.config.detail == DETAIL
    assert trained.detail.leave.weight.any()
    assert not torch.equal(trained.eye_encoder.head.weight, trained.encoder.head.weight)


def test_phase_2_wants_weights_to_start_from(data, tmp_path):
    command = [sys.executable, "-m", "pico_plugins.training", str(data[0]), "--out", str(tmp_path / "run")]
    done = subprocess.run([*command, "--perceptual", str(data[1].folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--start" in done.stderr


def test_the_branch_is_chosen_where_there_is_none(data, tmp_path, model):
    """A model that has one keeps it; another size is refused, with the way to it."""
    from pico_plugins.network.weights_file import save_weights

    recipe = Perceptual(TINY, {}, branch=BRANCHES["wide"])
    fresh = PicoModel(TINY)
    recipe.begin(fresh)
    assert fresh.config.detail == BRANCHES["wide"]
    Perceptual(TINY, {}).begin(fresh)
    assert fresh.config.detail == BRANCHES["wide"]
    save_weights(tmp_path / "start.safetensors", dict(fresh.named_parameters()), fresh.config)
    command = [sys.executable, "-m", "pico_plugins.training", str(data[0]), "--out", str(tmp_path / "run"), "--branch"]
    command += ["small", "--perceptual", str(data[1].folder), "--start", str(tmp_path / "start.safetensors")]
    done = subprocess.run([*command, "--crop", "64"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "training.transplant --branch small" in done.stderr
