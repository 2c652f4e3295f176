"""What runs on another machine, or with another NumPy: golden files to symbols, symbols to bytes, as they must be.

Needs Python, NumPy and something that reads safetensors. Started by emulation.py and numpy_versions.py.
"""

from __future__ import annotations

import json
import platform
import sys

import numpy as np

from pico_plugins import weights
from pico_plugins.entropy import symbol_stack
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.entropy.symbol_coder import SymbolEncoder
from pico_plugins.format.reader import check_file, read_header
from tests.golden.symbols import FOLDER, coded_tiles, symbols, symbols_hash


def main() -> int:
    """Exit status 0 if everything is equal."""
    coder = "plain Python coder" if symbol_stack.constriction is None else "constriction"
    python = f"Python {platform.python_version()}, NumPy {np.__version__}, {coder}"
    print(f"{platform.machine()}, {sys.byteorder}-endian, {python}", flush=True)
    expected = json.loads((FOLDER / "symbols.json").read_text())
    model, wrong = EntropyModel(weights.model_folder(weights.DEFAULT)), 0
    for name, known in expected.items():
        path = FOLDER / f"{name}.pico"
        check_file(path)
        header = read_header(path)
        same_symbols = symbols_hash(path.read_bytes()) == known
        same_bytes = True
        data = path.read_bytes()
        for (tile, colour, _), (z, indices, values) in zip(coded_tiles(data), symbols(data), strict=True):
            encoder = SymbolEncoder(model.tables)
            encoder.add(z, model.hyper_indices(*tile.coded_shape))
            encoder.add(values, indices)
            same_bytes &= encoder.finish() == colour
        size = f"{header.width} x {header.height}, {len(header.grid)} tiles"
        print(f"{name}: {size}, symbols {_word(same_symbols)}, coded again {_word(same_bytes)}")
        wrong += not (same_symbols and same_bytes)
    return min(wrong, 1)


def _word(same: bool) -> str:
    return "equal" if same else "DIFFERENT"


if __name__ == "__main__":
    sys.exit(main())
