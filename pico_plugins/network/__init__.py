"""The codec's networks in PyTorch. Imported for training and export only: coding a file never needs it."""

from .config import BRANCHES, CPU, DETAIL, PAPER, PRESETS, TINY, ModelConfig, Stage
from .model import Coded, PicoModel

__all__ = ["BRANCHES", "CPU", "DETAIL", "PAPER", "PRESETS", "TINY", "Coded", "ModelConfig", "PicoModel", "Stage"]
