"""The training loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..network import CPU, ModelConfig, PicoModel
from ..network.weights_file import load_model, save_weights
from ..quality import LEVEL_STEPS
from .checkpoint import (
    WeightAverage,
    average_state,
    load_optimizer,
    load_state,
    model_state,
    optimizer_state,
    save_state,
)
from .data import Crops, DeviceCrops
from .klt import initialise
from .recipe import Recipe
from .step import CLIP, GraphStep, Step, adam, set_rate
from .tensors import to_tensor
from .tiling import pair_width

LOG_EVERY = 100  # steps
STATE, BEFORE_DECAY, AVERAGE, LOG = "state.pt", "before-decay.pt", "ema.safetensors", "log.jsonl"
"""What a run leaves in its folder: all that it takes to go on, the same from before the learning rate fell, the
averaged weights, and a line for each hundred steps."""


@dataclass
class Options:
    """One run. ``minutes`` is its whole length over all resumes: the learning rate decays to zero at its end."""

    images: list[np.ndarray]  # uint8 (H, W, 3), or with a fourth channel where text is; may grow
    out: Path
    recipe: Recipe
    config: ModelConfig = CPU
    start: Path | None = None  # weights to start from instead of the KLT
    minutes: float = 60.0
    max_steps: int | None = None  # where the run ends, if its minutes have not
    stop_after: int | None = None  # steps in all after which this process stops, to be resumed
    batch: int = 8
    crop: int = 256
    rate: float = 5e-4
    decay_from: float = 0.5  # the part of the run after which the learning rate falls
    clip: float = CLIP
    seed: int = 0
    threads: int = 2
    save_every: float = 120.0  # seconds
    graph: bool = False  # the step as a CUDA graph
    alter: Callable[[PicoModel], None] | None = None  # for trials: changes the model before it learns anything


def learning_rate(peak: float, step: int, progress: float, decay_from: float) -> float:
    """Linear warm-up over 200 steps, constant, then a cosine to (almost) zero from ``decay_from`` to the end."""
    warm = min(1.0, (step + 1) / 200)
    late = min(1.0, max(0.0, (progress - decay_from) / (1.0 - decay_from)))
    return peak * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * late)))


class _Log:
    """Means of what the steps give, in a line of JSON for every hundred of them. They are summed on the device."""

    def __init__(self, path: Path) -> None:
        self._file, self._sums, self._steps = path.open("a"), {}, 0

    def add(self, found: dict[str, Tensor]) -> None:
        self._steps += 1
        for name, value in found.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()

    def write(self, **facts: float) -> None:
        """Here the host waits for the device."""
        means = {name: round(total.item() / self._steps, 6) for name, total in self._sums.items()}
        means["skipped"] = round(means["skipped"] * self._steps)
        print(json.dumps(facts | means), file=self._file, flush=True)
        self._sums, self._steps = {}, 0


class Run:
    """A run, new or found in ``options.out``: everything that changes while it goes on."""

    def __init__(self, options: Options) -> None:
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        options.out.mkdir(parents=True, exist_ok=True)
        self.options, self.recipe = options, options.recipe
        path = options.out / STATE
        state = load_state(path) if path.exists() else None
        self.step = state["step"] if state else 0
        self.seconds = state["seconds"] if state else 0.0

        columns = options.crop if self.recipe.windows == 1 else pair_width(options.crop)
        on_host = torch.get_default_device().type == "cpu"
        self.crops = (Crops if on_host else DeviceCrops)(options.images, (options.crop, columns), options.seed)
        if options.start and not state:
            model = load_model(options.start)
        else:
            model = PicoModel(ModelConfig.from_json(state["config"]) if state else options.config)
            if not state:
                initialise(model, to_tensor(self.crops.batch(48))[:, :3, :, : options.crop])
        self.recipe.begin(model)
        if options.alter:
            options.alter(model)
        self.model = model.to(memory_format=torch.channels_last)
        self.optimizer = adam(self.recipe.groups(model), options.rate, (0.9, 0.98))
        self.average = WeightAverage(model)
        if state:
            self.model.load_state_dict(state["model"])
            load_optimizer(self.optimizer, state["optimizer"])
            self.average = WeightAverage(model)  # what does not learn is its own average
            self.average.shadow.update({name: value.float() for name, value in state["average"].items()})
            self.recipe.load_state_dict(state["recipe"])

    @property
    def progress(self) -> float:
        """The part of the run that is over."""
        progress = self.seconds / (self.options.minutes * 60)
        return progress if self.options.max_steps is None else max(progress, self.step / self.options.max_steps)

    def save(self, name: str = STATE) -> None:
        """Write the state, and the averaged weights."""
        options, config = self.options, self.model.config
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "config": config.to_json(),
            "model": model_state(self.model),
            "optimizer": optimizer_state(self.optimizer),
            "average": average_state(self.average),
            "recipe": self.recipe.state_dict(),
        }
        save_state(options.out / name, **state)
        facts = {"crops": str(self.step * options.batch), "minutes": f"{self.seconds / 60:.1f}"}
        save_weights(options.out / AVERAGE, self.average.shadow, config, **facts)

    def level_of(self, count: int) -> Tensor:
        """(count,): the levels of this step, in 1/32; and the seed of all else that is random in it.

        A run that is resumed at a step then goes on as if nothing had happened.
        """
        torch.manual_seed(self.options.seed * 1_000_003 + self.step)
        random = np.random.default_rng((self.options.seed, self.step, 1))
        levels = random.integers((self.model.config.levels - 1) * LEVEL_STEPS + 1, size=count) / LEVEL_STEPS
        return torch.from_numpy(levels.astype(np.float32)).to(torch.get_default_device(), non_blocking=True)

    def go(self) -> None:
        """Train to the end of the run, or to ``stop_after`` steps."""
        options = self.options
        count = options.batch // self.recipe.windows
        step = (GraphStep if options.graph else Step)(self.model, self.recipe, self.optimizer, options.clip)
        batches, log = self.crops.stream(count, self.step), _Log(options.out / LOG)
        last = saved = time.monotonic()
        while self.progress < 1.0 and self.step != options.stop_after:
            if self.progress >= options.decay_from and not (options.out / BEFORE_DECAY).exists():
                self.save(BEFORE_DECAY)
            rate = learning_rate(options.rate, self.step, self.progress, options.decay_from)
            for group in self.optimizer.param_groups:
                set_rate(group, rate * group["pace"])
            level = self.level_of(count)
            log.add(step(next(batches), level))
            self.average.update(self.model, self.step)
            self.step += 1

            now = time.monotonic()
            self.seconds += min(now - last, 30.0)  # a paused process does not use up the run's time
            last = now
            if self.step % LOG_EVERY == 0:
                log.write(step=self.step, minutes=round(self.seconds / 60, 2), lr=rate, photos=len(options.images))
            if now - saved > options.save_every:
                self.save()
                last = saved = time.monotonic()
        self.save()


def train(options: Options) -> Path:
    """Train, or resume a run found in ``options.out``. Returns the path of the averaged weights."""
    Run(options).go()
    return options.out / AVERAGE
