"""What the user has set under Preferences > Plugins."""

from __future__ import annotations

DEFAULT_QUALITY = 75


def default_quality() -> int:
    """Quality of saved files, 1 ... 100."""
    try:
        from napari.settings import get_plugin_settings

        return get_plugin_settings("pico-plugins").codec.quality
    except (ImportError, KeyError, AttributeError):  # napari before 0.9 has no settings of plugins
        return DEFAULT_QUALITY
