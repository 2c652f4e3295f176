"""Pillow image -> .pico."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

if TYPE_CHECKING:
    from pico_plugins.pipeline import Progress

from .modes import SIXTEEN_BITS, to_codec_mode
from .options import OPTIONS

_GRAY = {"1", "L", "LA", "La", *SIXTEEN_BITS}
_COLOUR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA"}


def _fitting_profile(image: Image.Image, written: str) -> bytes | None:
    """The image's ICC profile, if it still describes the colours once they are in mode ``written``."""
    fits = image.mode in (_GRAY if written == "L" else _COLOUR)
    return image.info.get("icc_profile") if fits else None


def save(
    image: Image.Image,
    target: str | os.PathLike | BinaryIO,
    *,
    quality: float | None = None,
    exif: bytes | Image.Exif | None = None,
    xmp: bytes | str | None = None,
    icc_profile: bytes | bool | None = True,
    text: dict[str, str] | None = None,
    realism: float = 0.0,
    fidelity: str = "normal",
    threads: int | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
    **_ignored: object,
) -> None:
    """Write ``image`` to ``target``; under a path, atomically: the old file stays until the new one is complete.

    ``Image.save`` takes the same options. ``exif`` and ``xmp`` are written when given, as in Pillow's own formats; so
    is ``text`` (keyword -> text). The image's ICC profile is kept unless ``icc_profile`` is None or another one, or the
    colours had to be converted. The others are those of :func:`pico_plugins.encode_file`. Unknown options are ignored,
    as everywhere in Pillow. Raises ``ValueError`` for options out of range, ``OSError`` for a mode that cannot be
    written.
    """
    import numpy as np

    from pico_plugins.encoder import encode_file
    from pico_plugins.metadata import Metadata

    pixels = to_codec_mode(image)
    if icc_profile is True:
        icc_profile = _fitting_profile(image, pixels.mode)
    metadata = Metadata(
        exif=(exif.tobytes() if isinstance(exif, Image.Exif) else exif) or None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        icc_profile=icc_profile or None,
        text=text or {},
    )
    encode_file(
        target,
        np.asarray(pixels),
        OPTIONS.quality if quality is None else quality,
        metadata=metadata,
        realism=realism,
        fidelity=fidelity,
        threads=OPTIONS.threads if threads is None else threads,
        backend=OPTIONS.backend if backend is None else backend,
        progress=progress,
    )


def save_driver(image: Image.Image, file: BinaryIO, filename: str | bytes) -> None:
    """What ``Image.save`` calls. Nothing is written to ``file`` before everything has been coded."""
    save(image, file, **image.encoderinfo)
