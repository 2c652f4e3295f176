"""Registration with the image libraries that are installed. napari finds its plugin by itself."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

_HOSTS = {"PIL": "pillow_plugin", "imageio": "imageio_plugin"}


def register_all() -> list[str]:
    """Make Pillow and, where it is installed, imageio read and write .pico files. Returns their module names.

    May be called again.
    """
    found = [host for host in _HOSTS if find_spec(host)]
    for host in found:
        importlib.import_module(_HOSTS[host])
    return found
