"""What travels with a Pillow image: in its ``info``, or given as options of saving."""

from __future__ import annotations

import math
import warnings
from typing import Any

from PIL import Image

from pico_plugins.metadata import EXIF_PREFIX, Metadata

_XMP_IN_TEXT, _EXIF_IN_TEXT = "XML:com.adobe.xmp", "Raw profile type exif"
"""Keywords under which PNG files hold XMP, and ImageMagick's hold Exif."""

_LEFT_OUT_FIRST = ("text", "xmp", "exif", "icc_profile", "cicp", "dpi")


def metadata_of(image: Image.Image, keeps_colours: bool, **options: Any) -> Metadata:
    """The metadata to write: for each option that is True what ``image`` has, nothing for None, else what it says.

    What the image has and the file cannot hold is left out with a warning: it must not keep the picture from being
    written. Raises ``TypeError`` or ``ValueError`` for options that cannot be written.
    """
    given = {name: _given(name, value) for name, value in options.items() if value is not True and value}
    Metadata(**given)
    own = {name: value for name, value in _own(image).items() if options[name] is True}
    if not keeps_colours:
        own = {name: value for name, value in own.items() if name not in ("icc_profile", "cicp")}
    for name in _LEFT_OUT_FIRST:
        try:
            return Metadata(**given, **own)
        except (TypeError, ValueError) as error:
            if own.pop(name, None) is not None:
                warnings.warn(f"{name} of the image is not written: {error}", stacklevel=5)
    return Metadata(**given)


def _given(name: str, value: object) -> object:
    if name == "exif" and isinstance(value, Image.Exif):
        return value.tobytes()
    if name == "xmp" and isinstance(value, str):
        return value.encode()
    return value


def _own(image: Image.Image) -> dict[str, Any]:
    """What ``image.info`` has for the fields of :class:`Metadata`, whoever put it there."""
    info = image.info
    exif, text = info.get("exif"), _texts(info)
    if not exif and (profile := _unpacked_exif(text.get(_EXIF_IN_TEXT, ""))):
        exif = profile
    if exif:
        text.pop(_EXIF_IN_TEXT, None)
        exif = _given("exif", exif)
        exif = exif.removeprefix(EXIF_PREFIX) if isinstance(exif, bytes) else exif
    found = {
        "exif": exif,
        "xmp": _given("xmp", info.get("xmp") or text.get(_XMP_IN_TEXT)),
        "icc_profile": info.get("icc_profile"),
        "cicp": info.get("cicp"),
        "dpi": _resolution(info.get("dpi")),
        "text": {keyword: value for keyword, value in text.items() if keyword != _XMP_IN_TEXT},
    }
    return {name: value for name, value in found.items() if value}


def _texts(info: dict) -> dict[str, str]:
    """PNG's texts, which stand among the rest, those of .pico files, and the comment of JPEG and GIF files."""
    # The one other string that Pillow's formats leave there is what TIFF files were compressed with.
    found = {
        keyword: str(value) for keyword, value in info.items() if isinstance(value, str) and keyword != "compression"
    }
    if isinstance(info.get("comment"), bytes):
        found["comment"] = _decoded(info["comment"])
    return found | (info["text"] if isinstance(info.get("text"), dict) else {})


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _unpacked_exif(profile: str) -> bytes | None:
    """ImageMagick's "Raw profile": three lines of heading, then hexadecimal digits."""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:])) or None
    except ValueError:
        return None


def _resolution(dpi: object) -> tuple[float, float] | None:
    """Formats give integers, floats or fractions, some of them 0 or of no value."""
    try:
        across, down = map(float, dpi if isinstance(dpi, (tuple, list)) else ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < math.inf and 0 < down < math.inf else None
