"""Pictures to encode: which of a file's, in how many bits, the right way up."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..format.header import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image

_PREVIEW = "Large Thumbnail"
_REDUCED, _NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE = 1, 254, 258


@contextmanager
def opened(file: BinaryIO, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """The image in ``file``, not loaded yet. Raises ``ValueError`` for what Pillow does not know, or is larger.

    Pillow's own limit, which some cameras' photos exceed, gives way for as long.
    """
    from PIL import Image, UnidentifiedImageError

    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # from the limit on, an error from twice as much
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            with Image.open(file) as image:
                yield image
        except UnidentifiedImageError:
            msg = "damaged, or not an image that Pillow reads"
            raise ValueError(msg) from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            msg = f"has more than {max_pixels} pixels: a higher --max-pixels allows it"
            raise ValueError(msg) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def frames(image: Image.Image) -> list[int]:
    """The numbers, from 0, of the pictures in a file: frames of an animation, pages.

    Copies in a smaller size are none: previews beside a photo, reduced pages of a TIFF pyramid. A PSD is its composite.
    """
    count = getattr(image, "n_frames", 1)
    if count == 1 or image.format == "PSD":
        return [image.tell()]
    if image.format == "MPO":
        entries = image.mpinfo[0xB002]
        return [n for n, entry in enumerate(entries) if n == 0 or not entry["Attribute"]["MPType"].startswith(_PREVIEW)]
    if image.format == "TIFF":
        return [n for n in range(count) if n == 0 or not _is_reduced(image, n)]
    return list(range(count))


def _is_reduced(image: Image.Image, number: int) -> bool:
    image.seek(number)
    return bool(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED)


def bits(image: Image.Image) -> int:
    """Bits in each sample of the file. ``image`` is not loaded yet, or Pillow would have forgotten.

    Colours of more than 8 bits, for which Pillow has no mode, it reduces to 8 by itself.
    """
    if image.format == "TIFF":
        return max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,)))
    if image.format in _DEPTH_IN_HEAD:
        place = image.fp.tell()
        image.fp.seek(0)
        head = image.fp.read(_HEAD)
        image.fp.seek(place)
        return _DEPTH_IN_HEAD[image.format](head)
    arguments = image.tile[0].args if image.tile else ()
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    if image.format == "PPM" and isinstance(arguments[-1], int):
        return arguments[-1].bit_length()  # the largest value
    return 16 if any(";16" in str(argument) for argument in (image.mode, *arguments)) else 8


def _avif_depth(head: bytes) -> int:
    """From the third byte of the box ``av1C``: high_bitdepth, twelve_bit (AV1 in ISOBMFF, 2.3.3)."""
    _, found, configuration = head.partition(b"av1C")
    if not found or len(configuration) < 3 or not configuration[2] & 0x40:
        return 8
    return 12 if configuration[2] & 0x20 else 10


def _jpeg2000_depth(head: bytes) -> int:
    """From the marker segment SIZ (ISO/IEC 15444-1, A.5.1): 3 bytes for each component, depth - 1 in the first."""
    _, found, sizes = head.partition(b"\xff\x4f\xff\x51")
    count = int.from_bytes(sizes[36:38])
    depths = sizes[38 : 38 + 3 * count : 3]
    return max((depth & 0x7F) + 1 for depth in depths) if found and depths else 8


_HEAD = 1 << 16
_DEPTH_IN_HEAD = {"AVIF": _avif_depth, "JPEG2000": _jpeg2000_depth}
"""Formats whose depth Pillow does not tell: it stands near the beginning."""


def in_eight_bits(image: Image.Image, found: int) -> Image.Image:
    """An image that has ``found`` bits in its file, scaled to 8. Transparency is kept.

    Raises ``ValueError`` for what has no range to scale from (32 bits, floating point) or cannot be kept.
    """
    import numpy as np
    from PIL import Image

    transparent = image.info.get("transparency")
    if found <= 8:
        return image
    if found > 16 or image.mode == "F":
        msg = f"samples of {found} bits have no range to scale from: scale them to 0 ... 255 in another program"
        raise ValueError(msg)
    if not image.mode.startswith("I"):  # colours, which Pillow has scaled
        if transparent is not None:
            msg = "16-bit colours with a transparent one among them: scale it in another program"
            raise ValueError(msg)
        return image
    wide = np.asarray(image).astype(np.uint32)
    top = (1 << found) - 1 if image.format == "TIFF" else 0xFFFF  # Pillow scales what has fewer in other formats
    scaled = Image.fromarray(((wide * 255 + top // 2) // top).astype(np.uint8))
    if transparent is not None:
        scaled.putalpha(Image.fromarray(np.where(wide == transparent, 0, 255).astype(np.uint8)))
    scaled.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return scaled


def check_photo(path: Path) -> tuple[int, int]:
    """Width and height of a photo to measure with.

    ``ValueError`` unless the file holds one picture of 8 bits: others would be measured by a part of what they are.
    """
    with path.open("rb") as file, opened(file) as image:
        if len(frames(image)) > 1 or bits(image) > 8:
            msg = f"{path} has {len(frames(image))} frames of {bits(image)} bits: needed is one of 8"
            raise ValueError(msg)
        return image.size


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its Exif says, and its Exif without that."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever is wrong with its Exif, it does not say how to turn the picture
        return image
