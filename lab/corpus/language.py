"""Which language a text is in, by py3langid (its model ships in the package: nothing is fetched)."""

from __future__ import annotations

from functools import cache
from typing import Any

LONGEST = 20_000
"""Characters that are looked at."""


@cache
def _identifier() -> Any:
    from py3langid.langid import LanguageIdentifier

    return LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)


def languages(text: str, most: int = 3) -> list[tuple[str, float]]:
    """The likeliest languages (ISO 639 codes) with their probabilities, of a text that is not empty."""
    return [(code, round(share, 4)) for code, share in _identifier().rank(text[:LONGEST])[:most]]


def measure_language(text: str, wanted: str) -> tuple[float, list[tuple[str, float]]]:
    """The probability of the wanted language, and the likeliest three."""
    ranked = _identifier().rank(text[:LONGEST])
    share = next((share for code, share in ranked if code == wanted), 0.0)
    return round(share, 4), [(code, round(each, 4)) for code, each in ranked[:3]]
