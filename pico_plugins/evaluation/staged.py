"""Weights of the networks that judge pictures, brought along in a folder instead of installed as packages.

A machine that trains may have no package index. ``python -m pico_plugins.training.stage`` writes such a folder; the
environment variable ``PICO_FEATURE_WEIGHTS`` names it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

VARIABLE = "PICO_FEATURE_WEIGHTS"


def staged(name: str) -> dict[str, np.ndarray] | None:
    """The float32 arrays of network ``name``, or None where no folder is named.

    Raises ``FileNotFoundError`` if the folder does not have them.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    return {key: value.astype(np.float32) for key, value in load_file(Path(folder) / f"{name}.safetensors").items()}
