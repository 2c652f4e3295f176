"""Weights into another configuration: ``python -m pico_plugins.training.transplant OLD DATA... --out NEW``.

Blocks that the new configuration lacks are dropped, new ones begin as identities, and of a context model that becomes
narrower each step keeps the channels that matter most. Training goes on from there.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ..network import PRESETS, ModelConfig, PicoModel
from ..network.blocks import ConvScale311
from ..network.context import ContextStep
from .checkpoint import load_model, save_weights
from .data import Crops, load_images
from .tensors import to_tensor

_ROWS = {"mix.weight", "mix.bias", "mix.scale_out", "gather.weight", "gather.bias", "gather.scale_out"}
_ROWS |= {"hidden.weight", "hidden.bias", "hidden.scale_out"}
_COLUMNS = {"hidden.weight", "hidden.scale_in", "head.weight", "head.scale_in", "scale.table"}


@torch.no_grad()
def channel_importance(model: PicoModel, pixels: Tensor) -> list[Tensor]:
    """For each context step, how much each of its channels (width,) moves mu and log q: its rms times its weights."""
    found: dict[nn.Module, Tensor] = {}
    hooks = []
    for step in model.context.steps:

        def note(head: nn.Module, inputs: tuple[Tensor]) -> None:
            found[head] = inputs[0].square().mean((0, 2, 3)).sqrt() * head.folded()[0].flatten(1).norm(dim=0)

        hooks.append(step.head.register_forward_pre_hook(note))
    model(pixels, torch.linspace(1, 5, len(pixels)).mul(32).round() / 32, torch.zeros(len(pixels)))
    for hook in hooks:
        hook.remove()
    return [found[step.head] for step in model.context.steps]


def _narrow(old: ContextStep, new: ContextStep, importance: Tensor) -> None:
    width = len(new.mix.weight)
    keep = importance.topk(width).indices.sort().values
    source = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        value = source[name]
        value = value[keep] if name in _ROWS else value
        parameter.copy_(value[:, keep] if name in _COLUMNS else value)


@torch.no_grad()
def transplant(old: PicoModel, config: ModelConfig, pixels: Tensor) -> PicoModel:
    """``old``'s weights in a model of ``config``; ``pixels`` (B, 3, H, W) in [0, 1] tell which channels matter.

    Raises ``ValueError`` if the two differ in more than blocks and the width of the context model.
    """
    new = PicoModel(config)
    source, taken = dict(old.named_parameters()), set()
    for name, module in new.named_modules():
        if isinstance(module, ConvScale311):
            inside = {f"{name}.{inner}": parameter.shape for inner, parameter in module.named_parameters()}
            taken |= inside.keys()
            if all(key in source and source[key].shape == shape for key, shape in inside.items()):
                module.load_state_dict(old.get_submodule(name).state_dict())
            else:
                nn.init.zeros_(module.project.weight)
                nn.init.ones_(module.project.scale_out)
    for before, after, importance in zip(
        old.context.steps, new.context.steps, channel_importance(old, pixels), strict=True
    ):
        _narrow(before, after, importance)
    for name, parameter in new.named_parameters():
        if name in taken or name.startswith("context.steps."):
            continue
        if source[name].shape != parameter.shape:
            msg = f"{name} does not fit: only blocks and the context model's width may differ"
            raise ValueError(msg)
        parameter.copy_(source[name])
    return new


@click.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(sorted(PRESETS)), default="cpu", show_default=True)
def main(old: Path, data: tuple[Path, ...], out: Path, preset: str) -> None:
    """Write the weights of OLD as far as a preset can take them; crops of DATA tell what matters."""
    pixels = to_tensor(Crops(load_images(list(data), 256), 256, 0).batch(24))
    model = transplant(load_model(old), PRESETS[preset], pixels)
    save_weights(out, dict(model.named_parameters()), model.config)


if __name__ == "__main__":
    main()
