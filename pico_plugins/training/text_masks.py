"""Where text is in the training images, found once: ``python -m pico_plugins.training.text_masks DATA... --out MASKS``.

The detector is PP-OCRv4's, which the PyPI package ``rapidocr-onnxruntime`` 1.4.4 ships (Apache 2.0; ``pip install
--no-deps rapidocr-onnxruntime`` is enough). A mask is kept by the hash of its image's file, so folders may move.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import click
import numpy as np
import onnxruntime
from PIL import Image, ImageFilter

from ..evaluation.installed import package_folder
from .data import image_paths

_MODEL = "models/ch_PP-OCRv4_det_infer.onnx"
_LONGEST = 1280  # images are reduced to this side: text that is not found then is large, or not legible
_PROBABLE = 0.3
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the detector was trained with


@cache
def _detector() -> onnxruntime.InferenceSession:
    folder = package_folder("rapidocr_onnxruntime", "rapidocr-onnxruntime==1.4.4", "text masks need the detector")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(folder / _MODEL, options, providers=["CPUExecutionProvider"])


def text_mask(image: Image.Image) -> np.ndarray:
    """uint8 (h, w), 255 where there is text and a little around it; of a reduced size, sides multiples of 32.

    Raises ``ImportError`` without the detector.
    """
    shrink = max(1.0, max(image.size) / _LONGEST)
    size = tuple(max(32, round(side / shrink / 32) * 32) for side in image.size)
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR), np.float32) / 255
    feed = ((pixels - np.float32(_MEAN)) / np.float32(_SPREAD)).transpose(2, 0, 1)[None]
    session = _detector()
    probability = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(feed)})[0][0, 0]
    found = Image.fromarray(np.where(probability > _PROBABLE, 255, 0).astype(np.uint8))
    return np.asarray(found.filter(ImageFilter.MaxFilter(9)))


class TextMasks:
    """The masks in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, image: Path) -> Path:
        """Where the mask of an image's file is."""
        return self.folder / f"{hashlib.sha256(image.read_bytes()).hexdigest()[:16]}.png"

    def __call__(self, image: Path) -> np.ndarray:
        """The mask, uint8 (h, w). Raises ``FileNotFoundError`` if there is none yet."""
        with Image.open(self.path(image)) as mask:
            return np.asarray(mask.convert("L"))


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def main(data: tuple[Path, ...], out: Path) -> None:
    """Write a mask for each image below the folders DATA that has none yet; say how much of them is text."""
    out.mkdir(parents=True, exist_ok=True)
    masks, shares = TextMasks(out), []
    for source in image_paths(data):
        if not masks.path(source).exists():
            with Image.open(source) as image:
                Image.fromarray(text_mask(image)).convert("1").save(masks.path(source))
        shares.append(float(np.mean(masks(source) > 0)))
    click.echo(f"{len(shares)} masks; text in {sum(share > 0.001 for share in shares)}, {np.mean(shares):.1%} of all")


if __name__ == "__main__":
    main()
