"""A learned image codec: ``encode`` pixels to .pico files, ``decode`` them.

The names below are imported on first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
import mimetypes
from typing import TYPE_CHECKING

from .telemetry import disable_for_onnxruntime

if TYPE_CHECKING:
    from .authenticity import authenticity_map
    from .decoder import decode, decode_bands, decode_region
    from .encoder import encode, encode_file
    from .errors import PicoError
    from .format.header import Header
    from .format.metadata import Metadata
    from .format.reader import check_file, read_header
    from .lazy_image import LazyImage
    from .registration import register_all

__version__ = "0.1.0"
MIME_TYPE = "image/x-pico"
mimetypes.add_type(MIME_TYPE, ".pico")  # for servers, mail and whoever else asks by file name

_HOME = {
    "authenticity_map": "authenticity",
    "encode": "encoder",
    "encode_file": "encoder",
    "check_file": "format.reader",
    "decode": "decoder",
    "decode_bands": "decoder",
    "decode_region": "decoder",
    "read_header": "format.reader",
    "register_all": "registration",
    "Header": "format.header",
    "LazyImage": "lazy_image",
    "Metadata": "format.metadata",
    "PicoError": "errors",
}
__all__ = [
    "Header",
    "LazyImage",
    "Metadata",
    "PicoError",
    "__version__",
    "authenticity_map",
    "check_file",
    "decode",
    "decode_bands",
    "decode_region",
    "encode",
    "encode_file",
    "read_header",
    "register_all",
]

disable_for_onnxruntime()


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
