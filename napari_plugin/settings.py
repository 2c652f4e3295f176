"""What the user has set under Preferences > Plugins."""

from __future__ import annotations

DEFAULT_QUALITY, DEFAULT_REALISM = 75, 0.0


def default_quality() -> int:
    """Quality of saved files, 1 ... 100."""
    return _setting("quality", DEFAULT_QUALITY)


def default_realism() -> float:
    """Realism of saved files, 0 ... 1."""
    return _setting("realism", DEFAULT_REALISM)


def default_fidelity() -> str:
    """Fidelity of saved files, "normal" or "strict"."""
    return "strict" if _setting("strict", False) else "normal"


def _setting(name: str, otherwise: float | bool) -> float | bool:
    try:
        from napari.settings import get_plugin_settings

        return getattr(get_plugin_settings("pico-plugins").codec, name)
    except (ImportError, KeyError, AttributeError):  # napari before 0.9 has no settings of plugins
        return otherwise
