"""What PyInstaller has to be told to freeze programs that use .pico files (its entry point ``pyinstaller40``)."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Where the hooks are."""
    return [str(Path(__file__).parent)]
