"""The training loop."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..network import CPU, ModelConfig, PicoModel
from ..quality import LEVEL_STEPS
from .checkpoint import WeightAverage, load_model, load_state, save_state, save_weights
from .data import Crops, stream
from .klt import initialise
from .recipe import Recipe
from .tensors import to_tensor
from .tiling import pair_width


@dataclass
class Options:
    """One run. ``minutes`` is its whole length over all resumes: the learning rate decays to zero at its end."""

    images: list[np.ndarray]  # uint8 (H, W, 3), or with a fourth channel where text is, for the perceptual phase
    out: Path
    recipe: Recipe
    config: ModelConfig = CPU
    start: Path | None = None  # weights to start from instead of the KLT
    minutes: float = 60.0
    max_steps: int | None = None
    batch: int = 8
    crop: int = 256
    rate: float = 5e-4
    decay_from: float = 0.5  # the part of the run after which the learning rate falls
    clip: float = 5.0
    seed: int = 0
    threads: int = 2
    save_every: float = 300.0  # seconds
    alter: Callable[[PicoModel], None] | None = None  # for trials: changes the model before it learns anything


def learning_rate(peak: float, step: int, progress: float, decay_from: float) -> float:
    """Linear warm-up over 200 steps, constant, then a cosine to (almost) zero from ``decay_from`` to the end."""
    warm = min(1.0, (step + 1) / 200)
    late = min(1.0, max(0.0, (progress - decay_from) / (1.0 - decay_from)))
    return peak * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * late)))


def train(options: Options) -> Path:
    """Train, or resume a run found in ``options.out``. Returns the path of the averaged weights.

    Writes ``state.pt`` (to resume), ``ema.safetensors`` (fp16, averaged) and ``log.jsonl`` into ``options.out``.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    state_path, weights_path = options.out / "state.pt", options.out / "ema.safetensors"
    state = load_state(state_path) if state_path.exists() else None
    step = state["step"] if state else 0
    seconds = state["seconds"] if state else 0.0

    recipe = options.recipe
    columns = options.crop if recipe.windows == 1 else pair_width(options.crop)
    crops = Crops(options.images, (options.crop, columns), options.seed + step)
    count = options.batch // recipe.windows
    if options.start and not state:
        model = load_model(options.start)
    else:
        model = PicoModel(ModelConfig.from_json(state["config"]) if state else options.config)
        if not state:
            initialise(model, to_tensor(crops.batch(48))[:, :3, :, : options.crop])
    recipe.begin(model)
    if options.alter:
        options.alter(model)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(recipe.groups(model), lr=options.rate, betas=(0.9, 0.98), fused=True)
    average = WeightAverage(model)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow = state["average"]
        recipe.load_state_dict(state["recipe"])

    config, levels = model.config, model.config.levels
    batches = stream(crops, count)
    log = (options.out / "log.jsonl").open("a")
    sums, summed, skipped = Counter(), 0, 0
    last, saved = time.monotonic(), time.monotonic()

    def save() -> None:
        save_state(
            state_path,
            step=step,
            seconds=seconds,
            config=config.to_json(),
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            average=average.shadow,
            recipe=recipe.state_dict(),
        )
        facts = {"crops": str(step * options.batch), "minutes": f"{seconds / 60:.1f}"}
        save_weights(weights_path, average.shadow, config, **facts)

    while seconds < options.minutes * 60 and (options.max_steps is None or step < options.max_steps):
        progress = seconds / (options.minutes * 60)
        if options.max_steps is not None:
            progress = max(progress, step / options.max_steps)
        rate = learning_rate(options.rate, step, progress, options.decay_from)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["pace"]

        level = torch.randint(0, (levels - 1) * LEVEL_STEPS + 1, (count,)).float() / LEVEL_STEPS
        loss, parts = recipe.loss(model, to_tensor(next(batches)), level)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        if torch.isfinite(norm):
            optimizer.step()
            average.update(model, step)
            recipe.learn()
            sums.update({name: value.mean().item() for name, value in {"loss": loss, **parts}.items()})
            summed += 1
        else:
            skipped += 1
        step += 1

        now = time.monotonic()
        seconds += min(now - last, 30.0)  # a paused process does not use up the run's time
        last = now
        if step % 100 == 0:
            line = dict(step=step, minutes=round(seconds / 60, 2), lr=rate, norm=round(norm.item(), 3), skipped=skipped)
            line |= {name: round(total / max(summed, 1), 6) for name, total in sums.items()}
            print(json.dumps(line), file=log, flush=True)
            sums, summed = Counter(), 0
        if now - saved > options.save_every:
            save()
            saved = time.monotonic()
            last = saved
    save()
    log.close()
    return weights_path
