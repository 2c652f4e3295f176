"""How fast a device trains, and whether it computes the same: ``python -m pico_plugins.training.probe EMA``.

The first thing to run on a device that is not known. It takes some twenty seconds on a GPU.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from ..network import PicoModel
from ..network.weights_file import load_model
from .loss import rate_distortion
from .objective import EYE, Objective, Term
from .perceptual import Perceptual
from .step import GraphStep, Step, adam
from .tiling import pair_width

_CROP = 256
_STORED = Path(__file__).with_name("probe.json")
"""The loss of weights, by the number of crops they were trained with, as a CPU computed it in float32."""

TOLERANCE = 0.02

PARTS: dict[str, Objective] = {
    "codec": {"squared": Term(1.0)},
    "features": {name: term for name, term in EYE.items() if name in ("squared", "wd", "lpips-vgg", "lpips-alex")},
    "adversary": {"squared": Term(1.0), "adversary": Term(15.0, 0.25)},
}
"""What a step consists of; "codec" is in the others too."""


def picture(height: int, width: int) -> np.ndarray:
    """(3, height, width) in [0, 1]: edges, texture and slopes, the same on every machine."""
    random = np.random.RandomState(0)  # whose numbers are promised not to change
    rows, columns = np.mgrid[:height, :width]
    planes = []
    for colour in range(3):
        waves = sum(np.sin(rows / random.uniform(2, 60) + columns / random.uniform(2, 60)) for _ in range(6)) / 6
        edge = (rows + 2 * columns) % (90 + 20 * colour) < 40
        planes.append(0.5 + 0.2 * waves + 0.2 * (edge - 0.5) + 0.02 * random.standard_normal((height, width)))
    return np.clip(planes, 0, 1).astype(np.float32)


@torch.no_grad()
def whole_loss(model: PicoModel) -> float:
    """Rate and squared error of :func:`picture` at realism 1 and two levels: nothing in it is random."""
    pixels = torch.from_numpy(picture(_CROP, _CROP)).to(torch.get_default_device())[None].expand(2, -1, -1, -1)
    level = torch.tensor([1.0, 4.0])
    coded = model.eval()(pixels.contiguous(memory_format=torch.channels_last), level, torch.ones(2))
    distortion = 255**2 * (coded.shown - pixels).square().mean((1, 2, 3))
    return rate_distortion(coded, pixels, level, model.config.levels, distortion)[0].item()


def crops_trained(checkpoint: Path) -> str:
    """What tells weights apart: the number of crops that they were trained with."""
    with safe_open(checkpoint, "pt") as file:
        return file.metadata().get("crops", "?")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def windows_per_second(checkpoint: Path, objective: Objective, batch: int, graph: bool, seconds: float) -> float:
    """Of whole steps on ``batch`` windows, as long as ``seconds``, after five that do not count."""
    model = load_model(checkpoint)
    recipe = Perceptual(model.config, objective, learning=("eye-encoder", "detail"), adversary_from=-10_000)
    recipe.begin(model)
    model = model.to(memory_format=torch.channels_last)
    step = (GraphStep if graph else Step)(model, recipe, adam(recipe.groups(model), 1e-5, (0.9, 0.98)))
    crops = torch.from_numpy(picture(_CROP, pair_width(_CROP))).to(torch.get_default_device())
    crops = torch.cat([crops, torch.zeros_like(crops[:1])])[None].repeat(batch // 2, 1, 1, 1)
    crops = crops.contiguous(memory_format=torch.channels_last)
    level = torch.linspace(0.0, 7.0, batch // 2)
    run: partial[dict[str, Tensor]] = partial(step, crops, level)
    for _ in range(5):
        run()
    _wait()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        run()
        steps += 1
        if steps % 4 == 0:
            _wait()
    _wait()
    return steps * batch / (time.perf_counter() - start)


def choose(speeds: dict[int, float]) -> int:
    """The smallest batch that is within 5% of the fastest: more steps learn more than larger ones."""
    return min(batch for batch, speed in speeds.items() if speed >= 0.95 * max(speeds.values()))


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--device", default="cpu", show_default=True)
@click.option("--batch", multiple=True, type=int, default=(16, 32, 64), show_default=True)
@click.option("--graph", is_flag=True, help="The step as one CUDA graph.")
@click.option("--seconds", default=1.5, show_default=True, help="Of each measurement.")
@click.option("--without", multiple=True, type=click.Choice(list(PARTS)), help="Parts not to measure.")
@click.option("--store", is_flag=True, help="Keep the loss computed here as the one to compare with.")
def main(
    checkpoint: Path,
    device: str,
    batch: tuple[int, ...],
    graph: bool,
    seconds: float,
    without: tuple[str, ...],
    store: bool,
) -> None:
    """Print windows per second, memory and the split of a step, the batch to take, and a check of the loss."""
    torch.set_default_device(device)
    torch.backends.cudnn.allow_tf32 = False  # the integer scale decoder's sums must be exact
    stored = json.loads(_STORED.read_text()) if _STORED.exists() else {}
    name, loss = crops_trained(checkpoint), whole_loss(load_model(checkpoint))
    if store:
        stored[name] = loss
        _STORED.write_text(json.dumps(stored, indent=1) + "\n")
    if name in stored:
        off = loss / stored[name] - 1
        click.echo(f"loss {loss:.4f}, on a CPU {stored[name]:.4f} ({off:+.2%})")
        if abs(off) > TOLERANCE:
            raise click.ClickException(f"the loss is off by more than {TOLERANCE:.0%}: this device computes otherwise")
    else:
        click.echo(f"loss {loss:.4f}; no value of a CPU is stored for these weights")
    parts = {part: objective for part, objective in PARTS.items() if part not in without}
    speeds = {}
    for size in batch:
        each = {part: windows_per_second(checkpoint, parts[part], size, graph, seconds) for part in parts}
        codec = 1 / each["codec"] if "codec" in each else 0.0
        split = {part: 1 / speed - (codec if part != "codec" else 0.0) for part, speed in each.items()}
        speeds[size] = 1 / sum(split.values())
        shown = ", ".join(f"{part} {1000 * value:.2f} ms" for part, value in split.items())
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if torch.cuda.is_available() else ""
        click.echo(f"batch {size}: {speeds[size]:.1f} windows/s; a window: {shown}{memory}")
    click.echo(f"take --batch {choose(speeds)}")


if __name__ == "__main__":
    main()
