"""Many samples of one prompt: where they part, and how often each outcome came."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from lab.intervals import wilson

Way = Literal["text", "first line", "first word", "first sentence", "last number"]


class Outcome(NamedTuple):
    """What several samples have in common, and how many of all there were; `low` and `high` are the ends of the 95 %
    interval of the share (Wilson 1927)."""

    name: str
    times: int
    share: float
    low: float
    high: float


def outcomes(texts: Sequence[str], by: Way) -> list[Outcome]:
    """The different outcomes, the most frequent first."""
    counts = Counter(map(_WAYS[by], texts))
    found = []
    for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        low, high = wilson(count, len(texts))
        found.append(Outcome(name, count, count / len(texts), low, high))
    return found


def first_difference(ids: Sequence[int], other: Sequence[int]) -> int:
    """The first place at which two texts have different tokens; the length of the shorter one when there is none."""
    pairs = zip(ids, other)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(ids), len(other)))


def _first_word(text: str) -> str:
    found = re.search(r"\w[\w'’-]*", text)
    return found[0] if found else ""


def _last_number(text: str) -> str:
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return found[-1].replace(",", "") if found else "no number"


_WAYS: dict[str, Callable[[str], str]] = {
    "text": str.strip,
    "first line": lambda text: text.strip().partition("\n")[0].strip(),
    "first word": _first_word,
    "first sentence": lambda text: re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0],
    "last number": _last_number,
}
WAYS = tuple(_WAYS)
"""How samples can be grouped."""
