"""Intervals around measured shares."""

from __future__ import annotations

import math
from statistics import NormalDist


def accuracy_metrics(count: float, n: int) -> dict[str, float]:
    """The held-out accuracy of `count` right ones among `n`, with the ends of its interval, as metrics of a run."""
    low, high = wilson(count, n)
    names = ("accuracy/heldout", "accuracy/heldout_low", "accuracy/heldout_high")
    return dict(zip(names, (count / max(1, n), low, high)))


def wilson(count: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of the share `count` of `n` (Wilson 1927): it stays inside 0…1 and holds its level at small n.
    Without any n it is the whole of 0…1."""
    if n <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, weight = count / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / weight
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / weight
    return max(0.0, middle - half), min(1.0, middle + half)
