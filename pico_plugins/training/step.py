"""One step of training, as it comes or as a CUDA graph. Nothing in it waits for the device."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..network import PicoModel
from .recipe import Recipe

CLIP = 5.0
"""Norm to which gradients are clipped."""

_WARM_UP = 3  # steps on a stream of their own before a graph is captured, as PyTorch asks for


def adam(parameters: Iterable, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam whose learning rate can change between the replays of a CUDA graph."""
    cuda = torch.get_default_device().type == "cuda"
    return torch.optim.Adam(
        parameters, lr=torch.tensor(rate) if cuda else rate, betas=betas, fused=True, capturable=cuda
    )


def set_rate(group: dict, rate: float) -> None:
    """Set the learning rate of one of the parameter groups of :func:`adam`."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def step_if_finite(optimizer: torch.optim.Adam, clip: float) -> tuple[Tensor, Tensor]:
    """Clip the gradients and step, unless one of them is not finite. The device decides, and nothing waits for it.

    Returns the gradients' norm, and 1.0 where the step was left out.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
    # The way in which PyTorch's gradient scalers tell a fused optimizer to do nothing.
    optimizer.grad_scale, optimizer.found_inf = None, (~torch.isfinite(norm)).float()
    optimizer.step()
    return norm, optimizer.found_inf


class Step:
    """Forward, backward, the model's optimizer and what the recipe itself learns."""

    def __init__(self, model: PicoModel, recipe: Recipe, optimizer: torch.optim.Adam, clip: float = CLIP) -> None:
        self.model, self.recipe, self.optimizer, self.clip = model, recipe, optimizer, clip

    def __call__(self, crops: Tensor, level: Tensor) -> dict[str, Tensor]:
        """Scalars by name, on the device: the loss, its parts, the gradients' norm, 1.0 for a step left out."""
        self.recipe.prepare()
        return self._run(crops, level)

    def _run(self, crops: Tensor, level: Tensor) -> dict[str, Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        loss, parts = self.recipe.loss(self.model, crops, level)
        loss.backward()
        norm, skipped = step_if_finite(self.optimizer, self.clip)
        self.recipe.learn()
        found = {"loss": loss.detach(), "norm": norm} | {name: part.mean() for name, part in parts.items()}
        return {name: value.nan_to_num(0.0, 0.0, 0.0) for name, value in found.items()} | {"skipped": skipped}


class GraphStep(Step):
    """The same as one CUDA graph for each kind of step that the recipe has: thousands of launches become one."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._graphs: dict[object, tuple[torch.cuda.CUDAGraph, dict[str, Tensor]]] = {}
        self._eager: dict[object, int] = {}
        self._stream = torch.cuda.Stream()
        self._crops: Tensor | None = None
        self._level: Tensor | None = None

    def __call__(self, crops: Tensor, level: Tensor) -> dict[str, Tensor]:
        kind = self.recipe.prepare()
        if self._crops is None:
            self._crops, self._level = crops.clone(), level.clone()
        self._crops.copy_(crops)
        self._level.copy_(level)
        if kind in self._graphs:
            graph, found = self._graphs[kind]
            graph.replay()
            return found
        self._eager[kind] = self._eager.get(kind, 0) + 1
        if self._eager[kind] <= _WARM_UP:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                found = self._run(self._crops, self._level)
            torch.cuda.current_stream().wait_stream(self._stream)
            return found
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = self._run(self._crops, self._level)
        self._graphs[kind] = graph, found
        graph.replay()  # capturing runs nothing
        return found
