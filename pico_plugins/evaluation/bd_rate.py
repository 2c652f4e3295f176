"""Bjontegaard delta rate between two rate-distortion curves."""

from __future__ import annotations

import bjontegaard
import numpy as np

Curve = list[tuple[float, float]]
"""(bits per pixel, metric) points."""


def within(curve: Curve, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Rates and metrics of the part of ``curve`` between two rates, its ends interpolated in log rate.

    Points that are no better than a cheaper one are left out: nobody would choose them, and no curve is drawn through
    them. Higher values of the metric must be better.
    """
    rate, metric = map(np.array, zip(*sorted(curve), strict=True))
    better = np.diff(np.maximum.accumulate(metric), prepend=-np.inf) > 0
    rate, metric = rate[better], metric[better]
    low, high = max(low, rate[0]), min(high, rate[-1])
    inside = rate[(rate > low) & (rate < high)]
    rates = np.concatenate([[low], inside, [high]])
    return rates, np.interp(np.log(rates), np.log(rate), metric)


def bd_rate(anchor: Curve, test: Curve, low: float, high: float) -> float:
    """Average difference in rate at equal metric, in percent (negative: ``test`` needs fewer bits).

    Both curves are taken between ``low`` and ``high`` bits per pixel; akima interpolation of log rate over the metric
    range they share (method of the ``bjontegaard`` package). NaN where they share none.
    """
    a, t = within(anchor, low, high), within(test, low, high)
    if min(a[1].max(), t[1].max()) <= max(a[1].min(), t[1].min()):
        return float("nan")
    return float(bjontegaard.bd_rate(*a, *t, method="akima", require_matching_points=False, min_overlap=0))
