"""What of a text stands word for word in a corpus: the longest run, where it comes from, and how much is new."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BETWEEN = "\0"


@dataclass(frozen=True)
class Run:
    """A stretch of a text that stands verbatim in the corpus: pieces `start` to `end` (exclusive)."""

    start: int
    end: int
    characters: int
    document: int
    """Number of the first document that has it, from 1."""
    times: int
    """How often it stands in the corpus."""


class Corpus:
    """Texts to look in."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts = list(texts)
        self._text = _BETWEEN.join(parts)
        self._starts, place = [], 0
        for part in parts:
            self._starts.append(place)
            place += len(part) + 1

    def __len__(self) -> int:
        """Documents."""
        return len(self._starts)

    @property
    def characters(self) -> int:
        """Length of all documents."""
        return len(self._text)

    def runs(self, pieces: Sequence[str], least: int = 20) -> list[Run]:
        """The longest verbatim runs of `pieces` (a text cut into tokens) with at least `least` characters, in order;
        they do not overlap. Where a run begins, the longest one from there is taken."""
        found: list[Run] = []
        reach, longest = 0, []  # for each start, the end of the longest run from there: it never moves back
        for start in range(len(pieces)):
            reach = max(reach, start)
            while reach < len(pieces) and "".join(pieces[start : reach + 1]) in self._text:
                reach += 1
            longest.append(reach)
        taken: list[tuple[int, int]] = []
        for start, end in sorted(enumerate(longest), key=lambda each: (-len("".join(pieces[slice(*each)])), each[0])):
            length = len("".join(pieces[start:end]))
            if length >= least and all(end <= other or start >= stop for other, stop in taken):
                taken.append((start, end))
        for start, end in sorted(taken):
            text = "".join(pieces[start:end])
            document = bisect_right(self._starts, self._text.index(text))
            found.append(Run(start, end, len(text), document, self._text.count(text)))
        return found

    def novelty(self, text: str, words: int) -> float | None:
        """Share of the runs of so many words of a text that stand nowhere in the corpus; None for a shorter text."""
        spans = [match.span() for match in re.finditer(r"\S+", text)]
        grams = [text[spans[i][0] : spans[i + words - 1][1]] for i in range(len(spans) - words + 1)]
        return sum(gram not in self._text for gram in grams) / len(grams) if grams else None
