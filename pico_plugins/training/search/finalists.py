"""Who is trained."""

from __future__ import annotations

import numpy as np


def within_target(timings: list[dict], targets: dict[str, float], tiles: int = 48) -> dict[str, float]:
    """Candidates whose decoder meets every backend's target, and whose encoder takes at most 1.5 times that.

    ``targets``: seconds for 12 megapixels by backend. Returns the decoder's part of its target (the worst backend's).
    """
    share: dict[str, float] = {}
    failed = set()
    for row in timings:
        target = targets.get(row["backend"])
        if target is None:
            continue
        decoder, encoder = (row[f"{side}_ms"] * tiles / 1000 / target for side in ("decoder", "encoder"))
        share[row["name"]] = max(share.get(row["name"], 0.0), decoder)
        if decoder > 1 or encoder > 1.5:
            failed.add(row["name"])
    return {name: part for name, part in share.items() if name not in failed}


def choose(shares: dict[str, float], kmac: dict[str, float], count: int) -> list[str]:
    """Of the candidates within the target the ``count`` that get the most work done in their time, slow and fast ones.

    The range of times is cut into as many parts as are chosen; in each the candidate with the most multiply-accumulates
    wins, since those are what the time buys.
    """
    names = sorted(shares, key=shares.get)
    parts = np.array_split(np.array(names), min(count, len(names))) if names else []
    return [max(part.tolist(), key=kmac.get) for part in parts]
