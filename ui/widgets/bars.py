"""Probabilities for people."""

from __future__ import annotations


def percent(share: float) -> str:
    """A probability for people: 100 %, 37.2 %, 0.41 %, < 0.01 %; `cut` for one that cannot happen."""
    if share <= 0:
        return "cut"
    value = 100 * share
    if value >= 99.95:
        return "100 %"
    return f"{value:.1f} %" if value >= 10 else f"{value:.2f} %" if value >= 0.01 else "< 0.01 %"
