"""Weights that come in packages of others, which are not imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def package_folder(name: str, requirement: str, purpose: str) -> Path:
    """The folder of the package that is imported as ``name``.

    Raises ``ImportError`` where it is not installed: ``purpose`` needs what is in ``requirement``.
    """
    package = importlib.util.find_spec(name)
    if package is None:
        msg = f"{purpose} in: pip install --no-deps {requirement}"
        raise ImportError(msg)
    return Path(package.submodule_search_locations[0])
