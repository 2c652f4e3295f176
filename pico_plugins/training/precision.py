"""The precision that the networks are trained in."""

from __future__ import annotations

import torch


def reduced_precision() -> torch.autocast:
    """A context in which convolutions are computed in bfloat16, where that is faster: on GPUs and on some CPUs.

    PyTorch hands bfloat16 convolutions to oneDNN on x86 CPUs with AVX-512 only. Elsewhere it falls back to loops of its
    own, with which a training step took ten times as long as in float32 (docs/training.md).
    """
    device = torch.get_default_device().type
    fast = device != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    capturing = device == "cuda" and torch.cuda.is_current_stream_capturing()
    # What a graph has captured must not be a cached copy of weights that the next step changes.
    return torch.autocast(device, dtype=torch.bfloat16, enabled=fast, cache_enabled=not capturing)
