"""imageio finds plugins in two tables; this puts .pico into them. The plugin itself is imported when it is used."""

from __future__ import annotations

from imageio.config import known_extensions, known_plugins
from imageio.config.extensions import FileExtension
from imageio.config.plugins import PluginConfig

import pico_plugins  # noqa: F401  (light; to be imported before ONNX Runtime, which otherwise sends telemetry)


def register_pico() -> None:
    """Make imageio open ``.pico``. May be called again.

    Last in order for data without a name (bytes, streams): no other format is ever disturbed. With ``pillow_plugin``
    imported too, such data is read by imageio's own Pillow plugin, to the same pixels.
    """
    known_plugins["PICO"] = PluginConfig(
        name="PICO", class_name="PicoPlugin", module_name="imageio_plugin.plugin", install_name="pico-plugins"
    )
    extension = FileExtension(extension=".pico", name="PICO learned image", priority=["PICO"])
    known_extensions[".pico"] = [extension]
