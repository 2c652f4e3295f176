"""What travels with a Pillow image: in its ``info``, or given as options of saving."""

from __future__ import annotations

import contextlib
import math
import warnings
from typing import Any

from PIL import ExifTags, Image

from pico_plugins.format.metadata import EXIF_PREFIX, Metadata

_XMP_IN_TEXT, _EXIF_IN_TEXT = "XML:com.adobe.xmp", "Raw profile type exif"
"""Keywords under which PNG files hold XMP, and ImageMagick's hold Exif."""

_TIFF_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)

# What TIFF files were compressed with is the one string that Pillow's formats put there and that is none.
_NO_TEXTS = {"compression", "exif", "xmp", "icc_profile", "cicp", "dpi", "transparency", "text"}
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
    for name, value in list(own.items()):
        try:
            Metadata(**{name: value})
        except (TypeError, ValueError) as error:
            del own[name]
            _warn(name, error)
    for name in _LEFT_OUT_FIRST:
        try:
            return Metadata(**given, **own)
        except ValueError as error:  # too much of it all
            if own.pop(name, None) is not None:
                _warn(name, error)
    return Metadata(**given)


def _warn(name: str, error: Exception) -> None:
    warnings.warn(f"{name} of the image is not written: {error}", stacklevel=6)


def _given(name: str, value: object) -> object:
    if name == "exif" and isinstance(value, Image.Exif):
        return value.tobytes()
    if name == "xmp" and isinstance(value, str):
        return value.encode()
    return value


def _own(image: Image.Image) -> dict[str, Any]:
    """What ``image.info`` has for the fields of :class:`Metadata`, whoever put it there."""
    info, text = image.info, _texts(image.info)
    found = {name: info.get(name) for name in ("exif", "xmp", "icc_profile", "cicp")}
    if _is_empty(found["exif"]):
        found["exif"] = _unpacked_exif(text.get(_EXIF_IN_TEXT, "")) or _exif_of_tiff(image)
    if not _is_empty(found["exif"]):
        text.pop(_EXIF_IN_TEXT, None)
    xmp = text.pop(_XMP_IN_TEXT, None)
    if _is_empty(found["xmp"]):
        found["xmp"] = xmp
    for name in ("exif", "xmp"):
        with contextlib.suppress(UnicodeEncodeError):
            found[name] = _given(name, found[name])
    found |= {"dpi": _resolution(info.get("dpi")), "text": text}
    return {name: value for name, value in found.items() if not _is_empty(value)}


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (bytes, str, dict)) and value in (b"", EXIF_PREFIX, "", {}))


def _texts(info: dict) -> dict[str, str]:
    """PNG's texts, which stand among the rest, those of .pico files, and the comment of JPEG and GIF files."""
    found = {keyword: value for keyword, value in info.items() if isinstance(value, str) and keyword not in _NO_TEXTS}
    if isinstance(info.get("comment"), bytes):
        found["comment"] = _decoded(info["comment"])
    if isinstance(info.get("text"), dict):
        found |= info["text"]
    good = {}
    for keyword, value in found.items():
        try:
            good |= Metadata(text={keyword: value}).text
        except (TypeError, ValueError) as error:
            _warn("text", error)
    return good


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


def _exif_of_tiff(image: Image.Image) -> bytes | None:
    """What a TIFF file says beside how its pixels are stored. (Pillow has turned them upright already.)"""
    if not hasattr(image, "tag_v2"):
        return None
    try:
        tags, kept = image.getexif(), Image.Exif()
        for tag in _TIFF_TAGS:
            if tag in tags:
                kept[tag] = tags[tag]
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if values := tags.get_ifd(ifd):
                kept[ifd] = dict(values)
        return kept.tobytes() if kept else None
    except Exception as error:  # whatever Pillow makes of damaged tags
        _warn("exif", error)
        return None


def _resolution(dpi: object) -> tuple[float, float] | None:
    """Formats give integers, floats or fractions, some of them 0 or of no value."""
    try:
        across, down = map(float, dpi if isinstance(dpi, (tuple, list)) else ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < math.inf and 0 < down < math.inf else None
