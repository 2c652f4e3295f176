"""Weights into another configuration: ``python -m pico_plugins.training.transplant OLD DATA... --out NEW``.

Blocks that the new configuration lacks are dropped, new ones begin as identities. Where a block's expansion E or the
context model becomes narrower, the channels that matter most are kept. Convolutions next to the latents that are no
longer there are multiplied into their neighbours. Training goes on from there.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ..network import PRESETS, ModelConfig, PicoModel
from ..network.blocks import ConvScale311
from ..network.context import ContextStep
from ..network.conv_scale import ConvScale
from ..network.transforms import LATENT_GAIN
from ..network.weights_file import load_model, save_weights
from .data import Crops, load_images
from .tensors import to_tensor

_STEP_ROWS = {"mix.weight", "mix.bias", "mix.scale_out", "gather.weight", "gather.bias", "gather.scale_out"}
_STEP_ROWS |= {"hidden.weight", "hidden.bias", "hidden.scale_out"}
_STEP_COLUMNS = {"hidden.weight", "hidden.scale_in", "head.weight", "head.scale_in", "scale.table"}
_BLOCK_ROWS = {"gather.weight", "gather.bias", "gather.scale_out"}
_BLOCK_COLUMNS = {"expand.weight", "expand.scale_in"}


@torch.no_grad()
def channel_importance(model: PicoModel, pixels: Tensor) -> dict[nn.Module, Tensor]:
    """For each context step and each block, how much each of its channels that may go moves what comes next.

    That is the channel's rms times the weights it meets: in a step's head, in a block's second convolution.
    """
    found: dict[nn.Module, Tensor] = {}
    hooks = []
    for owner in model.modules():
        if isinstance(owner, (ContextStep, ConvScale311)):

            def note(reader: nn.Module, inputs: tuple[Tensor], owner: nn.Module = owner) -> None:
                rms = inputs[0].square().mean((0, 2, 3)).sqrt()
                found[owner] = rms * reader.folded()[0].flatten(1).norm(dim=0)

            reader = owner.head if isinstance(owner, ContextStep) else owner.expand
            hooks.append(reader.register_forward_pre_hook(note))
    model(pixels, torch.linspace(1, 5, len(pixels)).mul(32).round() / 32, torch.zeros(len(pixels)))
    for hook in hooks:
        hook.remove()
    return found


def _narrow(old: nn.Module, new: nn.Module, keep: Tensor, rows: set[str], columns: set[str]) -> None:
    """Copy into ``new`` what is left of ``old`` when only the channels ``keep`` stay."""
    source = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        value = source[name]
        value = value[keep] if name in rows else value
        parameter.copy_(value[:, keep] if name in columns else value)


def _strongest(importance: Tensor, count: int) -> Tensor:
    return importance.topk(count).indices.sort().values


def _fits(old: ConvScale311, new: ConvScale311) -> bool:
    """Whether ``new`` is ``old``, or is with fewer channels between its first convolution and the second."""
    before, now = old.gather.weight, new.gather.weight
    same = before.shape[1:] == now.shape[1:] and old.gather.groups == new.gather.groups
    fewer = len(now) == len(before) or (len(now) < len(before) and new.gather.groups == 1)
    return same and fewer and len(old.expand.bias) == len(new.expand.bias)


def _fill_block(block: ConvScale311, old: ConvScale311 | None, importance: dict[nn.Module, Tensor]) -> None:
    """``old``'s weights, perhaps of fewer channels, or those of an identity."""
    if old is not None and _fits(old, block):
        keep = _strongest(importance[old], len(block.gather.bias))
        _narrow(old, block, keep, _BLOCK_ROWS, _BLOCK_COLUMNS)
    else:
        nn.init.zeros_(block.project.weight)
        nn.init.ones_(block.project.scale_out)


def _unscaled(conv: ConvScale, weight: Tensor) -> None:
    """Give ``conv`` a ``weight`` as it is to be used."""
    conv.weight.copy_(weight)
    nn.init.ones_(conv.scale_in)
    nn.init.ones_(conv.scale_out)


def _take_up_ends(new: PicoModel, old: PicoModel) -> set[str]:
    """Where ``new`` has no convolution between the latents and the stage next to them: multiply ``old``'s into what
    follows. What it did to the level's scales is lost. Returns the names of the parameters that were set."""
    taken = set()
    if isinstance(new.encoder.head, nn.Identity) and isinstance(old.encoder.head, ConvScale):
        (head, offset), down = old.encoder.head.folded(), new.encoder.to_sixteenth.conv
        weight, bias = old.encoder.to_sixteenth.conv.folded()
        head = head[:, :, 0, 0] / LATENT_GAIN
        _unscaled(down, torch.einsum("oc,ciyx->oiyx", head, weight))
        down.bias.copy_(head @ bias + offset / LATENT_GAIN)
        taken |= {f"encoder.to_sixteenth.conv.{name}" for name, _ in down.named_parameters()}
    if isinstance(new.decoder.tail, nn.Identity) and isinstance(old.decoder.tail, ConvScale):
        tail = old.decoder.tail.folded()[0][:, :, 0, 0] * LATENT_GAIN
        for name in ("to_eighth.conv", "preview_heads.0"):
            conv = new.decoder.get_submodule(name)
            weight, bias = old.decoder.get_submodule(name).folded()
            _unscaled(conv, torch.einsum("ocyx,ci->oiyx", weight, tail))
            if bias is not None:
                conv.bias.copy_(bias)
            taken |= {f"decoder.{name}.{inner}" for inner, _ in conv.named_parameters()}
    return taken


@torch.no_grad()
def transplant(old: PicoModel, config: ModelConfig, pixels: Tensor) -> PicoModel:
    """``old``'s weights in a model of ``config``; ``pixels`` (B, 3, H, W) in [0, 1] tell which channels matter.

    Raises ``ValueError`` if the two differ in more than that.
    """
    new, importance = PicoModel(config), channel_importance(old, pixels)
    before = dict(old.named_modules())
    source, taken = dict(old.named_parameters()), _take_up_ends(new, old)
    for name, module in new.named_modules():
        if isinstance(module, ConvScale311):
            _fill_block(module, before.get(name), importance)
            taken |= {f"{name}.{inner}" for inner, _ in module.named_parameters()}
    for step, now in zip(old.context.steps, new.context.steps, strict=True):
        _narrow(step, now, _strongest(importance[step], len(now.mix.weight)), _STEP_ROWS, _STEP_COLUMNS)
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
