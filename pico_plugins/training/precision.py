"""The precision that the networks are trained in."""

from __future__ import annotations

import torch


def reduced_precision() -> torch.autocast:
    """A context in which convolutions are computed in bfloat16, where this CPU is faster at that than at float32.

    PyTorch hands bfloat16 convolutions to oneDNN on x86 CPUs with AVX-512 only. Elsewhere it falls back to loops of its
    own, with which a training step took ten times as long as in float32 (docs/training.md).
    """
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.backends.cpu.get_cpu_capability() == "AVX512")
