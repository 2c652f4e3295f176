"""Code every image with every codec at every quality, measure, and keep what has been measured."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..pipeline import Progress
from .bd_rate import Curve
from .images import read_pixels
from .metrics import METRICS
from .peer import Peer

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
    """One row for each image, codec and quality: bytes, bits per pixel and every metric, measured if new."""
    rows: list[Row] = []
    total = len(images) * sum(len(peer.qualities) for peer in peers)
    for path in images:
        contents = hashlib.sha256(path.read_bytes()).hexdigest()
        pixels = read_pixels(path)
        for peer in peers:
            for quality in peer.qualities:
                key = _key(contents, peer.describe(), quality)
                known = cache.rows.get(key, {})
                missing = [metric for metric in metrics if metric not in known]
                if missing or not known:
                    known = known | _measure_one(pixels, peer, quality, missing)
                    cache.put(key, known)
                row = {name: known[name] for name in ("bytes", "bpp", *metrics)}
                rows.append({"image": path.name, "codec": peer.name, "quality": quality, **row})
                progress(len(rows), total)
    return rows


def _measure_one(pixels: np.ndarray, peer: Peer, quality: int, metrics: list[str]) -> Row:
    data = peer.encode(pixels, quality)
    row: Row = {"bytes": len(data), "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1])}
    if metrics:
        shown = peer.decode(data)
        row |= {name: METRICS[name](pixels, shown) for name in metrics}
    return row


def covering(peer: Peer, rates: list[float], low: float, high: float) -> Peer:
    """``peer`` with no more of its qualities than span the range from ``low`` to ``high`` of their ``rates``."""
    order = np.argsort(rates)
    ascending = np.array(rates)[order]
    first = max(np.searchsorted(ascending, low, "right") - 1, 0)  # one on each side: ends are interpolated
    chosen = order[first : np.searchsorted(ascending, high) + 1]
    return replace(peer, qualities=tuple(peer.qualities[place] for place in chosen))


def mean_curves(rows: Iterable[Row], metric: str) -> dict[str, Curve]:
    """For each codec the mean bits per pixel and mean metric over all images, at each of its qualities."""
    points: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        points[row["codec"], row["quality"]].append((row["bpp"], row[metric]))
    curves: dict[str, Curve] = defaultdict(list)
    for (codec, _), values in points.items():
        curves[codec].append(tuple(np.mean(values, axis=0).tolist()))
    return dict(curves)
