"""Asymmetric numeral system coder in plain Python: the executable specification of the coded bytes.

State is a 64-bit integer, the stream a stack of 32-bit words, probabilities are multiples of 2^-24. To push a symbol
of frequency f that starts at cumulative frequency c:

    if state >= f * 2^40:  push the low 32 bits of state to the stream, state >>= 32
    state = (state // f) * 2^24 + state % f + c

Popping undoes it, refilling when the state falls below 2^32. The stream ends with the state's own words, the
highest one last. These are the bytes of ``constriction``'s ANS coder, which does the same in compiled code wherever
it is installed (:mod:`pico_plugins.entropy.symbol_stack` chooses); tests hold the two equal.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

PRECISION = 24
_MASK = (1 << PRECISION) - 1


class FrequencyModel:
    """Symbols 0 ... n-1 with integer ``frequencies``, each at least 1, that sum to 2^24."""

    def __init__(self, frequencies: np.ndarray) -> None:
        self.frequencies = [int(f) for f in frequencies]
        self.starts = [0]
        for f in self.frequencies:
            self.starts.append(self.starts[-1] + f)


class AnsStack:
    """Last in, first out: push groups of symbols, pop them in the opposite order of groups."""

    def __init__(self, words: np.ndarray | None = None) -> None:
        self.words = [] if words is None else [int(word) for word in words]
        self.state = 0
        while self.words and self.state < 1 << 32:
            self.state = self.state << 32 | self.words.pop()

    def push(self, symbols: np.ndarray, model: FrequencyModel) -> None:
        """Push ``symbols`` from the last to the first, so that :meth:`pop` gives them in order."""
        state, words = self.state, self.words
        frequencies, starts = model.frequencies, model.starts
        for symbol in reversed(symbols.tolist()):
            f = frequencies[symbol]
            if state >= f << 40:
                words.append(state & 0xFFFFFFFF)
                state >>= 32
            quotient, rest = divmod(state, f)
            state = (quotient << PRECISION) + rest + starts[symbol]
        self.state = state

    def pop(self, count: int, model: FrequencyModel) -> np.ndarray:
        """The next ``count`` symbols, int32."""
        state, words = self.state, self.words
        frequencies, starts = model.frequencies, model.starts
        symbols = np.empty(count, np.int32)
        for i in range(count):
            low = state & _MASK
            symbol = bisect_right(starts, low) - 1
            state = (state >> PRECISION) * frequencies[symbol] + low - starts[symbol]
            if state < 1 << 32 and words:
                state = state << 32 | words.pop()
            symbols[i] = symbol
        self.state = state
        return symbols

    def to_words(self) -> np.ndarray:
        """Everything pushed so far, uint32."""
        words, state = list(self.words), self.state
        while state:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        return np.array(words, np.uint32)

    def is_empty(self) -> bool:
        """Whether everything has been popped."""
        return not self.words and self.state == 0
