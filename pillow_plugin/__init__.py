"""Pillow plugin for .pico files: importing it is enough for ``Image.open`` and ``Image.save``.

import pillow_plugin                       # registers
pillow_plugin.register_pico_opener(quality=60)  # the same, with other defaults
"""

from .options import Options
from .plugin import PicoImageFile, register_pico_opener
from .saving import save

__all__ = ["Options", "PicoImageFile", "register_pico_opener", "save"]

register_pico_opener()
