"""Phase 2: what people see. Rate, phase 1's distortion of the faithful decoding, a perceptual one of that at realism 1.

Both are decoded from the same latents in every step. Realism between them needs no training:
it shows a mixture of the two.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..evaluation.lpips import lpips_network
from ..network import ModelConfig, PicoModel
from ..network.level import level_weights
from .discriminator import PENALTY, Discriminator, discriminator_loss, found_out, gradient_penalty
from .feature_distance import feature_distance
from .loss import faithful_distortion, level_lambda, rate_distortion
from .pattern import pattern_loss
from .precision import reduced_precision
from .tiling import join_pairs, split_pairs, tiling_loss

WEIGHTS = {"faithful": 0.1, "features": 360.0, "pattern": 10.0, "tiling": 5000.0, "text": 4000.0, "adversary": 60.0}
"""Weights of the terms of the distortion at realism 1, beside 255^2 MSE. The first is that of phase 1's distortion."""

_SQUARED = ("faithful", "pattern")  # terms that fall as lambda rises by themselves: see BALANCED_AT

LPIPS_GAIN = 2.1  # makes its gradient as large as that of Lite0's features, which the weight above is for

FAITHFUL_PART = 0.75
"""Part of the distortion that is the faithful decoding's; the rest is that of the perceptual one."""

BALANCED_AT = 3.0
"""Level at which the weights above hold. Squared errors fall with the level as lambda rises, and so pull about equally
at all levels; the other terms do not, and get a weight that falls as 1 / sqrt(lambda)."""

DETAIL_PACE = 4.0  # learning rate of the detail branch in those of the rest

ADVERSARY_WARM_UP = 2000  # steps from the adversary's beginning to its full weight
PENALTY_EVERY = 8  # steps of the adversary


def balance_of(level: Tensor, levels: int) -> Tensor:
    """Factor (B,) of all terms but squared errors at ``level`` (B,): 1 at :data:`BALANCED_AT`, less above it."""
    return (level_lambda(torch.tensor(BALANCED_AT), levels) / level_lambda(level, levels)).sqrt()


def look_closer(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The same part of both (B, 3, H, H), half the side or more, at random, enlarged to H x H.

    A network's layers stop at every second or fourth pixel, and the decoder makes 4 x 4 at a time: if what is compared
    were always at the same place and size, it could learn a pattern that pleases the one network and nobody else, as it
    did with AlexNet (docs/training.md).
    """
    side = a.shape[-1]
    part = int(torch.randint(side // 2, side - 3, ()))
    top, left = torch.randint(0, side - part + 1, (2,)).tolist()

    def seen(x: Tensor) -> Tensor:
        x = x[..., top : top + part, left : left + part].contiguous(memory_format=torch.channels_last)
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)

    return seen(a), seen(b)


class Perceptual:
    """Two windows to a crop: neighbouring tiles, coded apart. Its fourth channel says where text is."""

    windows = 2

    def __init__(
        self,
        config: ModelConfig,
        structure: float,
        without: tuple[str, ...] = (),
        adversary_from: int = 3000,
        detail_only: bool = False,
    ) -> None:
        """``without``: terms of :data:`WEIGHTS` to leave out. The adversary acts after ``adversary_from`` steps.

        ``detail_only``: nothing but the detail branch learns, so that files and their faithful decoding stay as they
        are.
        """
        self.structure, self.adversary_from, self.steps = structure, adversary_from, 0
        self.detail_only = detail_only
        self.weights = {name: 0.0 if name in without else weight for name, weight in WEIGHTS.items()}
        self.networks = []
        if self.weights["features"]:
            self.networks = [(1.0, feature_distance()), (LPIPS_GAIN, lpips_network("alex"))]
        self.discriminator = Discriminator(config.latents, config.levels)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.9))
        self._seen: tuple[Tensor, ...] = ()

    def begin(self, model: PicoModel) -> None:
        """A model from phase 1 gets the branch that is trained here."""
        model.add_detail()
        if self.detail_only:
            model.requires_grad_(False)
            model.detail.requires_grad_(True)

    def groups(self, model: PicoModel) -> list[dict]:
        """Two: the branch is new and has far to go, while the rest is to stay as good as it is."""
        branch = list(model.detail.parameters())
        new = set(map(id, branch))
        rest = [parameter for parameter in model.parameters() if id(parameter) not in new]
        return [{"params": rest, "pace": 1.0}, {"params": branch, "pace": DETAIL_PACE}]

    def loss(self, model: PicoModel, crops: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """See :class:`~pico_plugins.training.recipe.Recipe`; ``crops`` (B, 4, H, 2 W - 8) for windows of H x W."""
        pixels, text = crops[:, :3], crops[:, 3:]
        windows, at = split_pairs(pixels).contiguous(), level.repeat(2)
        with reduced_precision():
            coded = model(windows, at, torch.ones(len(windows)))
        faithful, parts = faithful_distortion(coded.pixels, windows, self.structure)
        shown = join_pairs(coded.perceptual)
        terms = {"faithful": faithful_distortion(coded.perceptual, windows, self.structure)[0]}
        terms["pattern"] = pattern_loss(coded.perceptual - coded.pixels.detach())
        terms["tiling"] = tiling_loss(shown, pixels).repeat(2)
        terms["text"] = ((shown - pixels).abs() * text).mean((1, 2, 3)).repeat(2)
        if self.networks:  # one of them in each step: what pleases a single network is not yet what people see
            gain, network = self.networks[int(torch.randint(len(self.networks), ()))]
            with reduced_precision():
                terms["features"] = gain * network(*look_closer(coded.perceptual, windows)).float()
        if self._warmth() > 0:
            self._seen = windows, coded.perceptual, coded.latents.detach(), level_weights(at, model.config.levels)
            self._learning(False)
            patches = found_out(*self._logits(*self._seen))
            side = windows.shape[-1] // patches.shape[-1]
            photo = 1.0 - F.max_pool2d(split_pairs(text), side)  # letters are not to be made up
            terms["adversary"] = self._warmth() * (patches * photo).mean((1, 2, 3))
        balance = balance_of(at, model.config.levels)
        perceptual = sum(
            self.weights[name] * (1.0 if name in _SQUARED else balance) * term for name, term in terms.items()
        )
        distortion = FAITHFUL_PART * faithful + (1.0 - FAITHFUL_PART) * perceptual
        loss, rate = rate_distortion(coded, windows, at, model.config.levels, distortion)
        return loss, rate | parts | {f"{name} r=1": term.detach() for name, term in terms.items()}

    def _warmth(self) -> float:
        """The part of its weight that the adversary has by now."""
        since = (self.steps - self.adversary_from) / ADVERSARY_WARM_UP
        return min(max(since, 0.0), 1.0) if self.weights["adversary"] else 0.0

    def _learning(self, learning: bool) -> None:
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(learning)

    def _logits(self, windows: Tensor, shown: Tensor, latents: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Of the patches of the originals and of what is shown of them."""
        with reduced_precision():
            return tuple(self.discriminator(pixels, latents, weights).float() for pixels in (windows, shown))

    def learn(self) -> None:
        """Step the discriminator on what the last loss has seen."""
        self.steps += 1
        if not self._seen:
            return
        self._learning(True)
        windows, shown, latents, weights = self._seen
        self._seen = ()
        loss = discriminator_loss(*self._logits(windows, shown.detach(), latents, weights))
        if self.steps % PENALTY_EVERY == 0:
            windows = windows.detach().requires_grad_()
            penalty = gradient_penalty(self.discriminator(windows, latents, weights), windows)
            loss = loss + PENALTY_EVERY * PENALTY * penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def state_dict(self) -> dict:
        """The adversary and how far it has come."""
        return {
            "steps": self.steps,
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up a :meth:`state_dict`."""
        self.steps = state["steps"]
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
