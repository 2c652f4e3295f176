"""The formats to decode to, and what each can hold beside the pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

Piece = tuple[str, object]
"""A piece of metadata: its name in ``Image.info`` and its value; of text, each keyword with its value is one."""

LOSSY = ("JPEG", "WEBP", "AVIF", "MPO", "PDF")
"""Formats that lose something, and have a quality."""

SUBSAMPLED = ("JPEG", "AVIF", "MPO")
"""Formats that may store colours at a lower resolution than brightness."""

_TOO_LITTLE = {"GIF": "256 colours", "ICO": "icons", "ICNS": "icons"}
_NO_TRANSPARENCY = ("BMP", "DIB", "JPEG", "MPO", "PPM")
_LONGEST = {"JPEG": 65500, "MPO": 65500, "WEBP": 16383, "AVIF": 65536, "TGA": 65535, "SGI": 65535, "PCX": 65535}
_WITH_METADATA = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "TIFF")
_HOLDERS = {
    **dict.fromkeys(("exif", "icc_profile", "xmp"), _WITH_METADATA),
    "dpi": ("PNG", "JPEG", "MPO", "TIFF", "BMP"),
    "text": ("PNG", "JPEG", "MPO"),
}
_TITLES = {
    "exif": "Exif",
    "icc_profile": "ICC profile",
    "xmp": "XMP",
    "cicp": "CICP",
    "dpi": "resolution",
    "text": "text",
}
_COMMENT = "comment"
"""The keyword of the one text that JPEG files have."""
_TIFF_XMP = 700
_TIFF_LAYOUT = frozenset({*range(254, 260), *range(262, 267), 273, *range(277, 280), 284, 290, 291, 301, 317})
_TIFF_LAYOUT |= {*range(320, 326), 330, 332, *range(338, 343), 347, *range(512, 522), *range(529, 533), 34675}
"""Tags that say how a TIFF file's pixels are stored, and the ICC profile, which has its own option."""


def format_of(suffix: str) -> str:
    """Pillow's name of the format that files with that suffix have. ``ValueError`` for one that cannot be written."""
    from PIL import Image

    form = Image.registered_extensions().get(suffix.lower())
    if form not in Image.SAVE or form == "PICO":
        msg = f"cannot write {suffix} files"
        raise ValueError(msg)
    if form in _TOO_LITTLE:
        msg = f"{suffix} files hold {_TOO_LITTLE[form]}: decode to another format"
        raise ValueError(msg)
    return form


def check_picture(form: str, mode: str, size: tuple[int, int]) -> None:
    """``ValueError`` unless the format holds pictures of that mode, transparency included, and size."""
    from PIL import Image

    reason = ""
    if mode == "RGBA" and form in _NO_TRANSPARENCY:
        reason = f"{form} has no transparency"
    elif max(size) > _LONGEST.get(form, max(size)):
        reason = f"{form} has sides of at most {_LONGEST[form]} pixels"
    else:
        try:
            Image.new(mode, (1, 1)).save(io.BytesIO(), form)
        except (OSError, ValueError) as error:
            reason = f"{form}: {error}"
    if reason:
        msg = f"{reason}: decode to another format"
        raise ValueError(msg)


def pieces(info: dict) -> list[Piece]:
    """The metadata in a file's ``info``, one by one."""
    found = [(name, info[name]) for name in _TITLES if name in info and name != "text"]
    return found + [("text", item) for item in info.get("text", {}).items()]


def title(piece: Piece) -> str:
    """What people call it."""
    name, value = piece
    return f"{_TITLES[name]} {value[0]!r}" if name == "text" else _TITLES[name]


def holds(form: str, mode: str, piece: Piece) -> bool:
    """Whether files of that format can hold it.

    Limits differ with the format, and so do demands on what is well-formed: it is tried on a blank picture.
    """
    from PIL import Image

    name, value = piece
    if form not in _HOLDERS.get(name, ()) or (name == "text" and form != "PNG" and value[0] != _COMMENT):
        return False
    try:
        Image.new(mode, (1, 1)).save(io.BytesIO(), form, **save_options(form, [piece]))
    except Exception:  # whatever is wrong with it, it is not the picture
        return False
    return True


def save_options(form: str, metadata: list[Piece]) -> dict[str, object]:
    """``metadata``, all of which the format holds, as ``Image.save`` wants it."""
    from PIL.PngImagePlugin import PngInfo

    options: dict[str, object] = {"pnginfo": PngInfo()} if form == "PNG" else {}
    for name, value in metadata:
        if name == "text" and form == "PNG":
            options["pnginfo"].add_itxt(*value)
        elif name == "text":
            options["comment"] = value[1]
        elif name == "xmp" and form == "PNG":
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", value.decode())
        elif name in ("exif", "xmp") and form == "TIFF":
            options["exif"] = _tiff_tags(name, value, options.get("exif"))
        else:
            options[name] = value
    return options


def _tiff_tags(name: str, value: bytes, tags: Image.Exif | None) -> Image.Exif:
    """Exif or XMP added to the tags of a TIFF file, whose layout Exif may not change: it may tell another file's."""
    from PIL import Image

    tags = tags or Image.Exif()
    if name == "xmp":
        tags[_TIFF_XMP] = value
        return tags
    tags.load(value)
    for tag in _TIFF_LAYOUT.intersection(tags):
        del tags[tag]
    return tags
