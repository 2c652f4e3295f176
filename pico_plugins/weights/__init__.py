"""The weights that are shipped, one folder for each model: ``<id>/`` with a manifest that names every file's SHA-256.

The id is the first 8 bytes of the manifest's ``decoder`` hash, in hex: a file records which model it was written with.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from ..errors import UnsupportedError

FOLDER = Path(__file__).parent
DEFAULT = (FOLDER / "default").read_text().strip() if (FOLDER / "default").exists() else ""
"""The id of the model that new files are written with."""

SYNTHESIS_FILES = {1: "synthesis.onnx", 2: "half.onnx", 4: "quarter.onnx", 8: "eighth.onnx"}
"""The network that shows an image, and those that show it so many times smaller."""

PERCEPTUAL_FILE = "perceptual.onnx"
"""The network that shows an image with realism above 0. Models trained for faithful decoding only have none."""

# What a decoder needs and therefore what defines the model: encoder and reduced images may improve under the same id.
DECODER_FILES = ("entropy.safetensors", "dequantizer.onnx", SYNTHESIS_FILES[1], PERCEPTUAL_FILE)

CALIBRATION_FILE = "authenticity.json"
"""How often what the model synthesises is wrong (:mod:`pico_plugins.authenticity`). Models that do not, have none."""


def synthesis_file(folder: Path, realism: float, reduction: int) -> str:
    """The network to show an image with: the perceptual one for realism above 0, if the model has it.

    Reduced images are always decoded faithfully: detail of single pixels is not in them.
    """
    perceptual = realism > 0 and reduction == 1 and (folder / PERCEPTUAL_FILE).exists()
    return PERCEPTUAL_FILE if perceptual else SYNTHESIS_FILES[reduction]


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_id(hashes: dict[str, str]) -> str:
    """The id that belongs to the files' hashes: 16 hex digits."""
    joined = "".join(hashes[name] for name in DECODER_FILES if name in hashes)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def model_folder(name: str) -> Path:
    """The folder of model ``name``, every file in it checked against its hash.

    Raises :class:`UnsupportedError` if it is not installed, ``ValueError`` if a file has changed.
    """
    folder = FOLDER / name
    manifest = folder / "manifest.json"
    if len(name) != 16 or not manifest.exists():
        have = ", ".join(sorted(path.parent.name for path in FOLDER.glob("*/manifest.json")))
        msg = f"PICO file needs model {name}, which this version does not have (it has {have})"
        if not have:
            msg = f"this installation of pico-plugins lacks its models, in {FOLDER}: the package cannot be used from a "
            msg += "zip file, and a frozen program must include its data files"
        raise UnsupportedError(msg)
    hashes = json.loads(manifest.read_text())["sha256"]
    for file, expected in hashes.items():
        if file_hash(folder / file) != expected:
            msg = f"weights of model {name}: {file} differs from its recorded SHA-256"
            raise ValueError(msg)
    if model_id(hashes) != name:
        msg = f"weights of model {name}: the manifest's hashes belong to another model"
        raise ValueError(msg)
    return folder
