"""A model's manifest: the files in its folder, and their hashes."""

from __future__ import annotations

import json
from pathlib import Path

from . import file_hash, model_folder


def add_file(folder: Path, name: str, text: str) -> None:
    """Put a file that does not change the model's id into its ``folder`` and into the manifest."""
    (folder / name).write_text(text)
    note_file(folder, name)


def note_file(folder: Path, name: str, **changes: object) -> None:
    """Write the hash of the file ``name`` in ``folder``, and other ``changes``, into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][name] = file_hash(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest | changes, indent=1) + "\n")
    model_folder.cache_clear()
