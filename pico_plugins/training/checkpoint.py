"""The averaged weights of a training run, and its full state to resume from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..network import PicoModel


class WeightAverage:
    """Exponential moving average of a model's parameters that learn; its decay warms up towards ``decay``."""

    def __init__(self, model: PicoModel, decay: float = 0.999) -> None:
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.learning = [name for name, p in model.named_parameters() if p.requires_grad]

    @torch.no_grad()
    def update(self, model: PicoModel, step: int) -> None:
        """Move the average towards the parameters after optimizer step ``step``."""
        decay = min(self.decay, 1.0 - 1.0 / (step / 10 + 1))
        parameters = dict(model.named_parameters())
        torch._foreach_lerp_(
            [self.shadow[name] for name in self.learning],
            [parameters[name].detach() for name in self.learning],
            1.0 - decay,
        )


@torch.no_grad()
def _rounded(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy in ``dtype``; ``tensor`` itself is rounded to it, so that a run that goes on and one that is resumed from
    the copy are the same."""
    copy = tensor.to(dtype)
    tensor.copy_(copy)
    return copy


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict:
    """Its state with the moments in bfloat16, half of the size; the live ones are rounded to that too."""
    state = optimizer.state_dict()
    state["state"] = {
        number: {name: _rounded(v, torch.bfloat16) if v.dim() else v.clone() for name, v in values.items()}
        for number, values in state["state"].items()
    }
    state["param_groups"] = [{k: v for k, v in group.items() if k != "lr"} for group in state["param_groups"]]
    return state


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Take up an :func:`optimizer_state`. The learning rates stay those of ``optimizer``."""
    groups = zip(state["param_groups"], optimizer.param_groups, strict=True)
    optimizer.load_state_dict({**state, "param_groups": [{**group, "lr": own["lr"]} for group, own in groups]})


def model_state(model: PicoModel) -> dict[str, Tensor]:
    """All values of ``model``, in float16 where that is exact: what does not learn came from such a file."""
    state = {}
    for name, value in model.state_dict().items():
        half = value.to(torch.float16)
        state[name] = half if torch.equal(half.to(value.dtype), value) else value
    return state


def average_state(average: WeightAverage) -> dict[str, Tensor]:
    """The averaged weights that learn, in float16; the live ones are rounded to that too."""
    return {name: _rounded(average.shadow[name], torch.float16) for name in average.learning}


def save_state(path: Path, **state: object) -> None:
    """Everything needed to go on: written beside the old state, then renamed over it."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)


def load_state(path: Path) -> dict:
    """Inverse of :func:`save_state`, onto the default device; plain tensors and numbers only."""
    return torch.load(path, weights_only=True, map_location=torch.get_default_device())
