"""Pillow image -> .pico."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from PIL import Image

from .modes import to_codec_mode
from .options import OPTIONS

_EXIF_PREFIX = b"Exif\0\0"


def _exif_bytes(exif: bytes | Image.Exif | None) -> bytes | None:
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    return exif.removeprefix(_EXIF_PREFIX) if exif else None


def save(
    image: Image.Image,
    target: str | os.PathLike | BinaryIO,
    *,
    quality: float | None = None,
    exif: bytes | Image.Exif | None = None,
    xmp: bytes | str | None = None,
    icc_profile: bytes | bool | None = True,
    realism: float = 0.0,
    threads: int | None = None,
    progress: Any = None,
    **_ignored: object,
) -> None:
    """Write ``image`` to ``target``; under a path, atomically: the old file stays until the new one is complete.

    ``Image.save`` takes the same options. ``exif`` and ``xmp`` are written when given, as in Pillow's own formats; the
    image's ICC profile is kept unless ``icc_profile`` is None or another one. Unknown options are ignored, as
    everywhere in Pillow. Raises ``ValueError`` for options out of range, ``OSError`` for a mode that cannot be written.
    """
    import numpy as np

    from pico_plugins.encoder import encode_file
    from pico_plugins.header import Metadata

    if icc_profile is True:
        # A profile describes the mode it came with: a CMYK one would be wrong for what is written.
        icc_profile = None if image.mode == "CMYK" else image.info.get("icc_profile")
    metadata = Metadata(
        exif=_exif_bytes(exif),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        icc_profile=icc_profile or None,
    )
    encode_file(
        target,
        np.asarray(to_codec_mode(image)),
        OPTIONS.quality if quality is None else quality,
        metadata=metadata,
        realism=realism,
        threads=threads or OPTIONS.threads,
        backend=OPTIONS.backend,
        progress=progress,
    )


def save_driver(image: Image.Image, file: BinaryIO, filename: str | bytes) -> None:
    """What ``Image.save`` calls. Nothing is written to ``file`` before everything has been coded."""
    save(image, file, **image.encoderinfo)
