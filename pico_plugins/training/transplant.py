"""Weights into another configuration: ``python -m pico_plugins.training.transplant OLD DATA... --out NEW``.

Widths may grow: what was there before does not read the new channels, which begin as in a new model, or, where they are
latents, with nothing coded of them (:mod:`.new_latents`). Blocks that the new configuration lacks are dropped, new ones
begin as identities. Where a block's expansion E or the context model becomes narrower, the channels that matter most
are kept. Convolutions next to the latents that are no longer there are multiplied into their neighbours. Training goes
on from there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ..network import BRANCHES, PRESETS, ModelConfig, PicoModel
from ..network.blocks import ConvScale311
from ..network.context import PHASES, ContextStep
from ..network.conv_scale import ConvScale
from ..network.transforms import LATENT_GAIN
from ..network.weights_file import load_model, save_weights
from .data import Crops, load_images
from .new_latents import begin_latents
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
    level = torch.linspace(1, 5, len(pixels)).mul(32).round() / 32
    for tune in ("pixels",) if model.eye_encoder is None else ("eye", "pixels"):
        model(pixels, level, torch.zeros(len(pixels)), tune)
    for hook in hooks:
        hook.remove()
    return found


def _strongest(importance: Tensor, count: int) -> Tensor:
    return importance.topk(min(count, len(importance))).indices.sort().values


def _narrowed(old: nn.Module, keep: Tensor, rows: set[str], columns: set[str]) -> dict[str, Tensor]:
    """What is left of ``old``'s parameters when only the channels ``keep`` stay."""
    left = {}
    for name, value in old.named_parameters():
        value = value[keep] if name in rows else value
        left[name] = value[:, keep] if name in columns else value
    return left


def _alike(old: ConvScale311, new: ConvScale311) -> bool:
    """Whether ``old`` can go into ``new``: the same but for the width, and for the expansion E of a dense block."""
    before, now = old.gather, new.gather
    kind = old.activate_gather == new.activate_gather and before.padding == now.padding
    expansion = old.activate_gather or len(before.weight) // before.groups == len(now.weight) // now.groups
    return kind and expansion and len(old.expand.bias) <= len(new.expand.bias)


def _identity(block: ConvScale311) -> None:
    nn.init.zeros_(block.project.weight)
    nn.init.ones_(block.project.scale_out)


def _context_places(old: ModelConfig, new: ModelConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Rows and columns of the new context steps' parameters that ``old``'s go to, where they are not the first ones.

    A step reads the prior and then the latents of each earlier phase; it gives a mu of each latent, then a q.
    """
    rows, columns, latents = {}, {}, torch.arange(old.latents)
    for phase in range(PHASES):
        seen = [new.prior_channels + earlier * new.latents + latents for earlier in range(phase)]
        read = torch.cat([torch.arange(old.prior_channels), *seen])
        given = torch.cat([latents, new.latents + latents])
        columns |= {f"context.steps.{phase}.mix.{name}": read for name in ("weight", "scale_in")}
        rows |= {f"context.steps.{phase}.head.{name}": given for name in ("weight", "bias", "scale_out")}
    return rows, columns


def _put(name: str, value: Tensor, parameter: Tensor, rows: Tensor | None, columns: Tensor | None) -> None:
    """``value`` into a parameter that may have more rows and columns. Rows that it fills read no new column."""
    grown = [now - before for before, now in zip(value.shape, parameter.shape, strict=True)]
    if min(grown) < 0 or any(grown[2:]):
        msg = f"{name} does not fit: {tuple(value.shape)} into {tuple(parameter.shape)}; channels may be added only"
        raise ValueError(msg)
    rows = torch.arange(len(value)) if rows is None else rows
    if value.dim() == 1:
        parameter[rows] = value
        return
    columns = torch.arange(value.shape[1]) if columns is None else columns
    if name.endswith("weight"):
        parameter[rows] = 0.0
    parameter[rows[:, None], columns] = value


def _unscaled(conv: ConvScale, weight: Tensor) -> None:
    """Give ``conv`` a ``weight`` as it is to be used."""
    if conv.weight.shape != weight.shape:
        msg = "convolutions at the latents can be left out, or widths grow next to them; one after the other"
        raise ValueError(msg)
    conv.weight.copy_(weight)
    nn.init.ones_(conv.scale_in)
    nn.init.ones_(conv.scale_out)


def _take_up_ends(new: PicoModel, old: PicoModel) -> set[str]:
    """Where ``new`` has no convolution between the latents and the stage next to them: multiply ``old``'s into what
    follows. What it did to the level's scales is lost. Returns the names of the parameters that were set."""
    taken = set()
    for name in ("encoder", "eye_encoder"):
        encoder, before = getattr(new, name), getattr(old, name)
        ends = [type(getattr(side, "head", None)) for side in (encoder, before)]
        if ends != [nn.Identity, ConvScale]:
            continue
        (head, offset), down = before.head.folded(), encoder.to_sixteenth.conv
        weight, bias = before.to_sixteenth.conv.folded()
        head = head[:, :, 0, 0] / LATENT_GAIN
        _unscaled(down, torch.einsum("oc,ciyx->oiyx", head, weight))
        down.bias.copy_(head @ bias + offset / LATENT_GAIN)
        taken |= {f"{name}.to_sixteenth.conv.{inner}" for inner, _ in down.named_parameters()}
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

    The module says in which ways the two may differ. Raises ``ValueError`` if they do in others.
    """
    if config.levels != old.config.levels:
        msg = f"{old.config.levels} levels cannot become {config.levels}"
        raise ValueError(msg)
    new, importance = PicoModel(config), channel_importance(old, pixels)
    before, source = dict(old.named_modules()), dict(old.named_parameters())
    taken = _take_up_ends(new, old)
    for name, module in new.named_modules():
        if not isinstance(module, ConvScale311):
            continue
        block = before.get(name)
        if block is not None and _alike(block, module):
            keep = _strongest(importance[block], len(module.gather.bias))
            left = _narrowed(block, keep, _BLOCK_ROWS, _BLOCK_COLUMNS)
            source |= {f"{name}.{inner}": value for inner, value in left.items()}
        else:
            _identity(module)
            taken |= {f"{name}.{inner}" for inner, _ in module.named_parameters()}
    for phase, step in enumerate(old.context.steps):
        left = _narrowed(step, _strongest(importance[step], config.context_channels), _STEP_ROWS, _STEP_COLUMNS)
        source |= {f"context.steps.{phase}.{inner}": value for inner, value in left.items()}
    rows, columns = _context_places(old.config, config)
    for name, parameter in new.named_parameters():
        if name in taken:
            continue
        if name not in source:
            msg = f"{name}: the old model has nothing like it"
            raise ValueError(msg)
        _put(name, source[name], parameter, rows.get(name), columns.get(name))
    new.z_index[old.config.hyperlatents :] = 0.0  # not coded
    if config.latents > old.config.latents:
        begin_latents(new, old.config.latents, pixels)
    return new


@click.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--preset", type=click.Choice(sorted(PRESETS)), default="cpu", show_default=True)
@click.option("--branch", type=click.Choice(sorted(BRANCHES)), help="The detail branch's new size; default: OLD's.")
def main(old: Path, data: tuple[Path, ...], out: Path, preset: str, branch: str | None) -> None:
    """Write the weights of OLD as far as a preset can take them; crops of DATA tell what matters.

    The detail branch and the encoder tuned for the eye go with them.
    """
    torch.manual_seed(0)
    model, config = load_model(old), PRESETS[preset]
    if branch or model.detail is not None:
        config = replace(config, detail=BRANCHES[branch] if branch else model.config.detail)
    if model.eye_encoder is not None:
        config = replace(config, eye_encoder=config.encoder)
    pixels = to_tensor(Crops(load_images(list(data), 256), 256, 0).batch(24))
    try:
        new = transplant(model, config, pixels)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    save_weights(out, dict(new.named_parameters()), new.config)


if __name__ == "__main__":
    main()
