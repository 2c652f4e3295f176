"""Saving image layers as .pico files."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pico_plugins.decoder import decode
from pico_plugins.encoder import encode_file
from pico_plugins.errors import PicoError
from pico_plugins.files import writing
from pico_plugins.format.metadata import METADATA_CHUNKS, Metadata

from .settings import default_fidelity, default_quality, default_realism

LayerData = tuple[object, dict, str]

PICO_FILE = "pico_file"
"""Where the metadata of a layer may hold the very file that its pixels were decoded from."""

COMPUTED_AT_ONCE = 256 << 20
"""Lazy layers of up to so many bytes are computed before they are coded."""

NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""What some file system does not allow in a file's name."""

LONGEST_NAME = 100
"""So many characters of a layer's name go into the file's."""


def _pixels(data: object, meta: dict) -> np.ndarray:
    """The layer's pixels as the codec takes them. Raises ``TypeError`` that says what to do about any other.

    (No ``ValueError``: napari takes that to mean that nobody can write the layer, and does not show the message. The
    same holds for all that writes.)
    """
    data = data[0] if meta.get("multiscale") else data
    dtype, shape = np.dtype(data.dtype), tuple(data.shape)
    if dtype != np.uint8:
        real = "np.abs(layer.data)" if dtype.kind == "c" else "layer.data"
        nan = " (give NaN and infinite values a number first: np.nan_to_num)" if dtype.kind in "fc" else ""
        msg = (
            f"PICO stores 8 bits a channel, this layer is {dtype}. Convert it first, in the console for example with "
            f"skimage.exposure.rescale_intensity({real}, out_range=np.uint8).astype(np.uint8){nan}, "
            "or save it losslessly as TIFF"
        )
        raise TypeError(msg)
    if len(shape) != (3 if meta.get("rgb") else 2):
        msg = f"PICO stores one 2-D image; this layer is {' x '.join(map(str, shape))}: save a single slice of it"
        raise TypeError(msg)
    return data


def _computed(pixels: np.ndarray) -> np.ndarray:
    """A lazy array (dask, zarr) that fits into memory as a whole; the encoder would compute some chunks repeatedly."""
    lazy = not isinstance(pixels, np.ndarray)
    return np.asarray(pixels) if lazy and math.prod(pixels.shape) <= COMPUTED_AT_ONCE else pixels


def kept_metadata(found: dict) -> Metadata:
    """What a .pico file can hold of a layer's metadata, if it came from one or from a photo.

    Raises ``ValueError`` if that is too much, or no such metadata.
    """
    kept = {name: found[name] for name in METADATA_CHUNKS.values() if isinstance(found.get(name), bytes)}
    text = found.get("text")
    if isinstance(text, dict):
        kept["text"] = {name: value for name, value in text.items() if isinstance(name, str) and isinstance(value, str)}
    try:
        return Metadata(**kept)
    except ValueError as error:
        msg = f"{error}; take it out of layer.metadata"
        raise ValueError(msg) from error


def _file_of(pixels: np.ndarray, found: dict) -> bytes | None:
    """The file among a layer's metadata if its pixels are still what that decodes to: coding them anew loses more."""
    file = found.get(PICO_FILE)
    try:
        return file if isinstance(file, bytes) and np.array_equal(decode(file), pixels) else None
    except PicoError:
        return None


def file_name(layer_name: str) -> str:
    """The name of a layer as a part of a file's name."""
    return NOT_IN_NAMES.sub("_", layer_name)[:LONGEST_NAME]


def _has_suffix(path: str) -> bool:
    return path.lower().endswith(".pico")


def _refuse_existing(path: str) -> None:
    """``FileExistsError`` for a name that we made: nobody has been asked whether that file may be replaced."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


def write_image(path: str, data: object, meta: dict) -> list[str]:
    """Write one image layer, uint8 gray, RGB or RGBA, as the settings say. Returns the paths.

    Of a multiscale layer its full resolution is written. Exif, ICC profile, XMP and texts of a .pico or photo that was
    opened are kept. Raises ``TypeError`` for other data, ``RuntimeError`` for what is too large for the format,
    ``OSError`` when writing fails; an existing file then stays.
    """
    pixels = _computed(_pixels(data, meta))
    if not _has_suffix(path):
        path = f"{path}.pico"
        _refuse_existing(path)
    found = meta.get("metadata", {})
    if (file := _file_of(pixels, found)) is not None:
        with writing(path) as target:
            target.write(file)
        return [path]
    try:
        metadata = kept_metadata(found)
        options = dict(realism=default_realism(), fidelity=default_fidelity(), metadata=metadata)
        encode_file(Path(path), pixels, default_quality(), **options)
    except ValueError as error:
        raise RuntimeError(str(error)) from error  # napari would hide it
    return [path]


def write_images(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write each of several image layers to a file of its own: ``scan.pico`` becomes ``scan-NAME.pico`` for each name.

    Returns the paths. Everything else as in :func:`write_image`. Nothing is written if one of the layers cannot be, nor
    if one of the files exists (``FileExistsError``).
    """
    stem, suffix = os.path.splitext(path if _has_suffix(path) else f"{path}.pico")
    paths: list[str] = []
    for data, meta, _ in layers:
        try:
            _pixels(data, meta)
        except TypeError as error:
            msg = f"layer {meta.get('name')!r}: {error}"
            raise TypeError(msg) from None
        name = file_name(meta.get("name") or "image")
        target, copies = f"{stem}-{name}{suffix}", 1
        while target.casefold() in (other.casefold() for other in paths):
            target, copies = f"{stem}-{name}-{copies}{suffix}", copies + 1
        _refuse_existing(target)
        paths.append(target)
    for target, (data, meta, _) in zip(paths, layers, strict=True):
        write_image(target, data, meta)
    return paths
