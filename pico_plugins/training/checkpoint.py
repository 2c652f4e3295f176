"""What a training run leaves behind: averaged weights to ship, and its full state to resume from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..network import ModelConfig, PicoModel


class WeightAverage:
    """Exponential moving average of a model's parameters; its decay warms up towards ``decay``."""

    def __init__(self, model: PicoModel, decay: float = 0.999) -> None:
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: PicoModel, step: int) -> None:
        """Move the average towards the parameters after optimizer step ``step``."""
        decay = min(self.decay, 1.0 - 1.0 / (step / 10 + 1))
        params = [p.detach() for _, p in model.named_parameters()]
        torch._foreach_lerp_(list(self.shadow.values()), params, 1.0 - decay)


def save_weights(path: Path, weights: dict[str, Tensor], config: ModelConfig, **facts: str) -> None:
    """Weights as fp16 safetensors, with the configuration (and ``facts`` about the run) in the metadata."""
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    scratch = path.with_suffix(".tmp")
    save_file(half, scratch, metadata={"config": config.to_json(), **facts})
    scratch.replace(path)


def load_model(path: Path) -> PicoModel:
    """The model stored by :func:`save_weights`, in float32, on the default device."""
    with safe_open(path, "pt") as file:
        model = PicoModel(ModelConfig.from_json(file.metadata()["config"]))
        names = file.keys()
        model.load_state_dict({name: file.get_tensor(name).float() for name in names})
    return model


def save_state(path: Path, **state: object) -> None:
    """Everything needed to go on: written beside the old state, then renamed over it."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)


def load_state(path: Path) -> dict:
    """Inverse of :func:`save_state`, onto the default device; plain tensors and numbers only."""
    return torch.load(path, weights_only=True, map_location=torch.get_default_device())
