"""Code every image with every codec at every quality, measure, and keep what has been measured."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ..pipeline import Progress
from .bd_rate import Curve
from .metrics import METRICS
from .peers import Peer

Row = dict[str, object]


class Cache:
    """Measurements in a JSON-lines file, found again by image contents, codec description, quality and metric."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self.rows[entry["key"]] = entry["row"]

    def put(self, key: str, row: Row) -> None:
        """Remember ``row``, on disk too."""
        self.rows[key] = row
        with self.path.open("a") as file:
            print(json.dumps({"key": key, "row": row}), file=file)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def measure(images: list[Path], peers: list[Peer], metrics: list[str], cache: Cache, progress: Progress) -> list[Row]:
    """One row for each image, codec and quality: bytes, bits per pixel, seconds, and every metric."""
    rows: list[Row] = []
    total = len(images) * sum(len(peer.qualities) for peer in peers)
    for path in images:
        contents = hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        for peer in peers:
            for quality in peer.qualities:
                key = _key(contents, peer.describe(), quality, sorted(metrics))
                if key not in cache.rows:
                    cache.put(key, _measure_one(pixels, peer, quality, metrics))
                rows.append({"image": path.name, "codec": peer.name, "quality": quality, **cache.rows[key]})
                progress(len(rows), total)
    return rows


def _measure_one(pixels: np.ndarray, peer: Peer, quality: int, metrics: list[str]) -> Row:
    start = time.perf_counter()
    data = peer.encode(pixels, quality)
    middle = time.perf_counter()
    shown = peer.decode(data)
    end = time.perf_counter()
    row: Row = {
        "bytes": len(data),
        "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
        "encode_s": round(middle - start, 4),
        "decode_s": round(end - middle, 4),
    }
    return row | {name: METRICS[name](pixels, shown) for name in metrics}


def mean_curves(rows: Iterable[Row], metric: str) -> dict[str, Curve]:
    """For each codec the mean bits per pixel and mean metric over all images, at each of its qualities."""
    points: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        points[row["codec"], row["quality"]].append((row["bpp"], row[metric]))
    curves: dict[str, Curve] = defaultdict(list)
    for (codec, _), values in points.items():
        curves[codec].append(tuple(np.mean(values, axis=0).tolist()))
    return dict(curves)
