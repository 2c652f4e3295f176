"""Phase 2: what people see. Rate, and an objective (:mod:`.objective`) of the decoding at realism 1.

Realism between 0 and 1 needs no training: it shows a mixture of the two pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network import DETAIL, ModelConfig, PicoModel, Stage
from ..network.level import level_weights
from ..network.model import Coded
from .checkpoint import load_optimizer, optimizer_state
from .discriminator import PENALTY, Discriminator, discriminator_loss, found_out, gradient_penalty
from .feature_terms import NAMES as FEATURES
from .feature_terms import PART, feature_terms
from .loss import faithful_distortion, rate_distortion
from .objective import Objective, weight_at
from .pattern import colour_loss, pattern_loss
from .precision import reduced_precision
from .step import CLIP, adam, step_if_finite
from .tiling import join_pairs, split_pairs, tiling_loss

DETAIL_PACE = 4.0  # learning rate of the detail branch in those of the rest

ADVERSARY_WARM_UP = 2000  # steps from the adversary's beginning to its full weight
PENALTY_EVERY = 8  # steps of the adversary

PARTS = ("eye-encoder", "detail", "rest")
"""What may learn: the encoder tuned for the eye, the detail branch, and all that faithful decoding needs."""


class Perceptual:
    """Two windows to a crop: neighbouring tiles, coded apart. Its fourth channel says where text is."""

    windows = 2

    def __init__(
        self,
        config: ModelConfig,
        objective: Objective,
        structure: float = 0.0,
        learning: tuple[str, ...] = ("detail", "rest"),
        adversary_from: int = 3000,
        detail_pace: float = DETAIL_PACE,
        part: float = PART,
        branch: tuple[Stage, Stage] = DETAIL,
    ) -> None:
        """``objective``: the terms' weights. ``structure``: MS-SSIM's part of the faithful term.

        ``learning``: which of :data:`PARTS` do; the others stay as they are, so that without "rest" files tuned for
        pixels and their faithful decoding do not change by a bit. The adversary acts after ``adversary_from`` steps.
        VGG16 sees ``part`` of each window's side. ``branch``: sizes of the detail branch of a model that has none yet.
        """
        self.objective = {name: term for name, term in objective.items() if term.weight}
        self.structure, self.learning, self.detail_pace = structure, frozenset(learning), detail_pace
        self.adversary_from, self.part, self.branch, self.steps = adversary_from, part, branch, 0
        self.discriminator = Discriminator(config.latents, config.levels)
        self.optimizer = adam(self.discriminator.parameters(), 2e-4, (0.5, 0.9))
        self._warmth = torch.zeros(())  # the part of its weight that the adversary has by now, on the device
        self._acting, self._penalised = False, False
        self._seen: tuple[Tensor, ...] = ()

    def begin(self, model: PicoModel) -> None:
        """A model from phase 1 gets the parts that are trained here."""
        model.add_detail(self.branch)
        if "eye-encoder" in self.learning:
            model.add_eye_encoder()
        model.requires_grad_("rest" in self.learning)
        model.detail.requires_grad_("detail" in self.learning)
        if model.eye_encoder is not None:
            model.eye_encoder.requires_grad_("eye-encoder" in self.learning)

    def groups(self, model: PicoModel) -> list[dict]:
        """Two, of what learns: the branch is new and has far to go, while the rest is to stay as good as it is."""
        branch = set(map(id, model.detail.parameters()))
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in learning if id(p) not in branch], "pace": 1.0},
            {"params": [p for p in learning if id(p) in branch], "pace": self.detail_pace},
        ]
        return [group for group in groups if group["params"]]

    def loss(self, model: PicoModel, crops: Tensor, level: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """See :class:`~pico_plugins.training.recipe.Recipe`; ``crops`` (B, 4, H, 2 W - 8) for windows of H x W."""
        pixels, text = crops[:, :3], crops[:, 3:]
        windows, at, levels = split_pairs(pixels).contiguous(), level.repeat(2), model.config.levels
        tune = "pixels" if model.eye_encoder is None else "eye"
        with reduced_precision():
            coded = model(windows, at, torch.ones(len(windows)), tune)
        terms = self._terms(coded, windows, pixels, text, at, levels)
        parts = {name: term.detach() for name, term in terms.items()}
        faithful = {}
        if "faithful" in self.objective and tune == "pixels":
            terms["faithful"], faithful = faithful_distortion(coded.pixels, windows, self.structure)
        distortion = sum(weight_at(self.objective[name], at, levels) * term for name, term in terms.items())
        loss, rate = rate_distortion(coded, windows, at, levels, distortion)
        if "rest" in self.learning and tune == "eye":  # the first encoder, which the second is not to spoil
            with reduced_precision():
                coded = model(windows, at)
            distortion, faithful = faithful_distortion(coded.pixels, windows, self.structure)
            loss = loss + rate_distortion(coded, windows, at, levels, distortion)[0]
        return loss, rate | faithful | {f"{name} r=1": part for name, part in parts.items()}

    def _terms(
        self, coded: Coded, windows: Tensor, pixels: Tensor, text: Tensor, at: Tensor, levels: int
    ) -> dict[str, Tensor]:
        """Each term of the objective, (B,), but for the faithful one."""
        wanted = self.objective.keys()
        shown, joined = coded.perceptual, join_pairs(coded.perceptual)
        terms = {}
        if "squared" in wanted:
            terms["squared"] = 255**2 * (shown - windows).square().mean((1, 2, 3))
        if "structure" in wanted:
            terms["structure"] = faithful_distortion(shown, windows, 1.0)[0]
        if wanted & {"pattern", "colour"}:
            added = shown - coded.pixels.detach()
            terms |= {"pattern": pattern_loss(added)} if "pattern" in wanted else {}
            terms |= {"colour": colour_loss(added)} if "colour" in wanted else {}
        if "tiling" in wanted:
            terms["tiling"] = tiling_loss(joined, pixels).repeat(2)
        if "text" in wanted:
            terms["text"] = ((joined - pixels).abs() * text).mean((1, 2, 3)).repeat(2)
        terms |= feature_terms(wanted & set(FEATURES), shown, windows, self.part)
        if self._acting:
            self._seen = windows, shown, coded.latents.detach(), level_weights(at, levels)
            self._learning(False)
            patches = found_out(*self._logits(*self._seen))
            side = windows.shape[-1] // patches.shape[-1]
            photo = 1.0 - F.max_pool2d(split_pairs(text), side)  # letters are not to be made up
            terms["adversary"] = self._warmth * (patches * photo).mean((1, 2, 3))
        return terms

    def prepare(self) -> object:
        """How warm the adversary is, and whether its gradient is penalised in this step."""
        since = (self.steps - self.adversary_from) / ADVERSARY_WARM_UP
        warmth = min(max(since, 0.0), 1.0) if "adversary" in self.objective else 0.0
        self._warmth.fill_(warmth)
        self._acting = warmth > 0
        self._penalised = self._acting and self.steps % PENALTY_EVERY == 0
        self.steps += 1
        return self._acting, self._penalised

    def _learning(self, learning: bool) -> None:
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(learning)

    def _logits(self, windows: Tensor, shown: Tensor, latents: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Of the patches of the originals and of what is shown of them."""
        with reduced_precision():
            return tuple(self.discriminator(pixels, latents, weights).float() for pixels in (windows, shown))

    def learn(self) -> None:
        """Step the discriminator on what the last loss has seen."""
        if not self._seen:
            return
        self._learning(True)
        windows, shown, latents, weights = self._seen
        windows, shown, self._seen = windows.detach(), shown.detach(), ()
        loss = discriminator_loss(*self._logits(windows, shown, latents, weights))
        if self._penalised:
            for pixels in (windows.requires_grad_(), shown.requires_grad_()):
                penalty = gradient_penalty(self.discriminator(pixels, latents, weights), pixels)
                loss = loss + PENALTY_EVERY * PENALTY * penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        step_if_finite(self.optimizer, CLIP)

    def state_dict(self) -> dict:
        """The adversary and how far it has come."""
        return {
            "steps": self.steps,
            "discriminator": self.discriminator.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up a :meth:`state_dict`."""
        self.steps = state["steps"]
        self.discriminator.load_state_dict(state["discriminator"])
        load_optimizer(self.optimizer, state["optimizer"])
