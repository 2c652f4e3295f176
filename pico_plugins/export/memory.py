"""How much memory a network's intermediate values need at once."""

from __future__ import annotations

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Watch(TorchDispatchMode):
    """Sums up, after every operation, the bytes of all results that still exist."""

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()
        self._weights = {tensor.untyped_storage()._cdata for tensor in known}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, result)):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self._weights:
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def peak_activations(module: nn.Module, shapes: list[tuple[int, ...]]) -> int:
    """Bytes of the values alive at one time in float16, inputs and outputs among them, weights not.

    No operation writes over its operands here: an upper bound, from which a runtime that fuses operations stays away.
    Nothing is computed.
    """
    module = module.half().to("meta")
    inputs = [torch.empty(shape, dtype=torch.float16, device="meta") for shape in shapes]
    with torch.inference_mode(), _Watch([*module.parameters(), *module.buffers()]) as watch:
        module(*inputs)
    return watch.peak
