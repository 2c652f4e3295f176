"""imageio plugin for .pico files: after ``import imageio_plugin`` all of imageio (v2 and v3) reads and writes them."""

from .registration import register_pico

__all__ = ["register_pico"]

register_pico()
