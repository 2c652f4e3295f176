"""A model's trained weights in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .config import ModelConfig
from .model import PicoModel


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
