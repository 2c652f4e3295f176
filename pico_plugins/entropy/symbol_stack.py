"""The entropy coder's two implementations behind one interface: ``constriction`` if installed, else plain Python."""

from __future__ import annotations

import os

import numpy as np

from . import ans

try:
    if os.environ.get("PICO_ENTROPY_CODER") == "python":
        raise ImportError
    import constriction
except ImportError:
    constriction = None


class ConstrictionModel:
    """Integer frequencies as a constriction model.

    constriction takes weights as floats, scales them to 2^24 less the number of symbols, rounds down each cumulative
    sum and adds 1 to every symbol. Given ``frequency - 1`` the scale is exactly 1 and every sum an integer: what comes
    out are the frequencies themselves.
    """

    def __init__(self, frequencies: np.ndarray) -> None:
        self.model = constriction.stream.model.Categorical(frequencies.astype(np.float64) - 1.0, perfect=False)


class ConstrictionStack:
    """:class:`pico_plugins.entropy.ans.AnsStack`, compiled."""

    def __init__(self, words: np.ndarray | None = None) -> None:
        start = () if words is None or not len(words) else (words,)
        self.coder = constriction.stream.stack.AnsCoder(*start)

    def push(self, symbols: np.ndarray, model: ConstrictionModel) -> None:
        self.coder.encode_reverse(symbols, model.model)

    def pop(self, count: int, model: ConstrictionModel) -> np.ndarray:
        return self.coder.decode(model.model, count)

    def to_words(self) -> np.ndarray:
        return self.coder.get_compressed()

    def is_empty(self) -> bool:
        return self.coder.is_empty()


if constriction is None:
    SymbolStack, SymbolModel = ans.AnsStack, ans.FrequencyModel
else:
    SymbolStack, SymbolModel = ConstrictionStack, ConstrictionModel
