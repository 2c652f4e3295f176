"""Pillow image -> .pico."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

if TYPE_CHECKING:
    import numpy as np

    from pico_plugins.pipeline import Progress

from .metadata import metadata_of
from .modes import codec_mode, in_codec_mode, keeps_colours
from .options import OPTIONS

_ONE_IMAGE = "a .pico file holds one image: save each to a file of its own"
_REFUSED = {
    "lossless": (
        (None, False),
        "PICO has no lossless mode: fidelity='strict' bounds the error, PNG and WebP have such a mode",
    ),
    "distance": ((None,), "PICO knows quality=1...100"),
    "transparency": ((None,), "set image.info['transparency'], or convert the image to RGBA"),
    "append_images": ((None, [], ()), _ONE_IMAGE),
    "save_all": ((None, False), _ONE_IMAGE),
    "bits": ((None, 8), "PICO stores 8 bits"),
    "bit_depth": ((None, 8), "PICO stores 8 bits"),
}
"""Options of other formats that ask for another picture, values of them that do not, and what to do instead."""


def _check_options(others: dict[str, Any]) -> None:
    for name, (harmless, instead) in _REFUSED.items():
        if name in others and others[name] not in harmless:
            msg = f"{name}={others[name]!r:.80}: {instead}"
            raise ValueError(msg)


class _Rows:
    """The pixels of an image, converted some rows at a time: there is no second copy of all of them."""

    def __init__(self, image: Image.Image, mode: str) -> None:
        import numpy as np

        self._image, self._mode = image, mode
        self.shape = (image.height, image.width, *{"L": (), "RGB": (3,), "RGBA": (4,)}[mode])
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        import numpy as np

        rows, columns = key
        part = self._image.crop((columns.start, rows.start, columns.stop, rows.stop))
        return np.asarray(in_codec_mode(part, self._mode))


def save(
    image: Image.Image,
    target: str | os.PathLike | BinaryIO,
    *,
    quality: float | None = None,
    exif: bytes | Image.Exif | bool | None = True,
    xmp: bytes | str | bool | None = True,
    icc_profile: bytes | bool | None = True,
    text: dict[str, str] | bool | None = True,
    dpi: tuple[float, float] | bool | None = True,
    cicp: bytes | bool | None = True,
    realism: float = 0.0,
    fidelity: str = "normal",
    threads: int | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
    **others: object,
) -> None:
    """Write ``image`` to ``target``; under a path, atomically: the old file stays until the new one is complete.

    ``Image.save`` takes the same options. ``exif``, ``xmp``, ``icc_profile``, ``text`` (keyword -> text), ``dpi``
    (across, down) and ``cicp`` are those of ``image.info`` unless given; None or empty leaves them out. Profile and
    ``cicp`` are left out, too, if the colours have to be converted. ``realism``, ``fidelity``, ``threads``,
    ``backend`` and ``progress`` are those of :func:`pico_plugins.encode_file`.

    Raises ``ValueError`` for options out of range and for those of other formats that ask for another picture
    (``lossless=True``); others are ignored, as everywhere in Pillow. ``OSError`` for a mode that cannot be written.
    """
    from pico_plugins.encoder import encode_file

    _check_options(others)
    image.load()  # some formats hold metadata behind the pixels
    mode = codec_mode(image)
    own = dict(exif=exif, xmp=xmp, icc_profile=icc_profile, text=text, dpi=dpi, cicp=cicp)
    encode_file(
        target,
        _Rows(image, mode),
        OPTIONS.quality if quality is None else quality,
        metadata=metadata_of(image, keeps_colours(image, mode), **own),
        realism=realism,
        fidelity=fidelity,
        threads=OPTIONS.threads if threads is None else threads,
        backend=OPTIONS.backend if backend is None else backend,
        progress=progress,
    )


def save_driver(image: Image.Image, file: BinaryIO, filename: str | bytes) -> None:
    """What ``Image.save`` calls. Nothing is written to ``file`` before everything has been coded."""
    save(image, file, **image.encoderinfo)


def save_all_driver(image: Image.Image, file: BinaryIO, filename: str | bytes) -> None:
    """What ``Image.save(..., save_all=True)`` calls: one image is as good as any, more are a ``ValueError``."""
    options = dict(image.encoderinfo)
    count = getattr(image, "n_frames", 1) + len(list(options.pop("append_images", None) or []))
    if count > 1:
        msg = f"save_all=True of {count} images: {_ONE_IMAGE}"
        raise ValueError(msg)
    save(image, file, **options)
