"""Pillow's modes to the codec's pixels: L, RGB or RGBA, 8 bits."""

from __future__ import annotations

import operator

from PIL import Image

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_GRAY = {"1", "L", "LA", "La"}
_COLOUR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA"}
_TRANSLUCENT = {"LA", "La", "PA", "RGBA", "RGBa"}
_KEYED = {"1": 1, "L": 1, "RGB": 3, "P": 1}
"""Modes that ``info["transparency"]`` can belong to, and of how many numbers it consists."""


def codec_mode(image: Image.Image) -> str:
    """The mode, L, RGB or RGBA, that holds all of ``image``: its transparency in whatever form it comes.

    Raises ``OSError``, as Pillow's own formats do, for modes of more than 8 bits (I;16, I, F), ``ValueError`` for an
    ``info["transparency"]`` that the mode cannot have.
    """
    if image.mode in ("I", "F", *SIXTEEN_BITS):
        msg = (
            f"cannot write mode {image.mode} as PICO, which stores 8 bits: scale the values to 0...255 first, for all "
        )
        msg += "of 16 bits by Image.fromarray((numpy.asarray(image) // 257).astype('uint8'))"
        raise OSError(msg)
    if image.mode in _TRANSLUCENT or _has_translucent_palette(image) or _has_transparent_colour(image):
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def in_codec_mode(image: Image.Image, mode: str) -> Image.Image:
    """``image``, or a part of it, in the mode that :func:`codec_mode` says."""
    if image.mode == "La":
        image = image.convert("LA")  # Pillow converts premultiplied gray to nothing else
    return image if image.mode == mode else image.convert(mode)


def keeps_colours(image: Image.Image, mode: str) -> bool:
    """Whether a colour profile of ``image`` still holds once it is written in ``mode``."""
    return image.mode in (_GRAY if mode == "L" else _COLOUR)


def _has_translucent_palette(image: Image.Image) -> bool:
    return image.mode == "P" and image.palette is not None and image.palette.mode.endswith("A")


def _has_transparent_colour(image: Image.Image) -> bool:
    """Raises ``ValueError`` for one that Pillow would take for another, or stumble over."""
    key = image.info.get("transparency")
    if key is None or image.mode not in _KEYED:
        return False
    if image.mode == "P" and isinstance(key, bytes):
        return True
    try:
        numbers = [operator.index(part) for part in (key if image.mode == "RGB" else [key])]
    except TypeError:
        numbers = []
    if len(numbers) != _KEYED[image.mode] or not all(0 <= number <= 255 for number in numbers):
        msg = f"info['transparency'] is {key!r:.80}, which mode {image.mode} cannot have: correct or delete it"
        raise ValueError(msg)
    return True
