"""A vote as the statistics see it: two models and which answer was better, with what may have swayed the person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

Outcome = Literal["a", "b", "tie", "both_bad"]
OUTCOMES = ("a", "b", "tie", "both_bad")


class Look(NamedTuple):
    """What an answer looks like before one has read it."""

    characters: int = 0
    words: int = 0
    headers: int = 0
    list_items: int = 0
    bold: int = 0
    code_blocks: int = 0


class Vote(NamedTuple):
    """(model_a, model_b, outcome), and where known the side of answer a, the looks, the prompt and the annotator."""

    model_a: str
    model_b: str
    outcome: Outcome
    a_is_left: bool | None = None
    look_a: Look | None = None
    look_b: Look | None = None
    prompt: str = ""
    annotator: str = ""

    @property
    def score(self) -> float:
        """1 when a won, 0 when b won, ½ when neither did."""
        return {"a": 1.0, "b": 0.0}.get(self.outcome, 0.5)

    def turned(self) -> Vote:
        """The same vote with a and b exchanged."""
        outcome: Outcome = "b" if self.outcome == "a" else "a" if self.outcome == "b" else self.outcome
        left = None if self.a_is_left is None else not self.a_is_left
        rest = (left, self.look_b, self.look_a, self.prompt, self.annotator)
        return Vote(self.model_b, self.model_a, outcome, *rest)


def as_votes(votes: Iterable[Sequence]) -> list[Vote]:
    """Votes from tuples of three or more. Raises `ValueError` for an outcome that is none."""
    made = [vote if isinstance(vote, Vote) else Vote(*vote) for vote in votes]
    for vote in made:
        if vote.outcome not in OUTCOMES:
            raise ValueError(f"{vote.outcome!r} is not the outcome of a vote; it is one of {', '.join(OUTCOMES)}.")
    return made


@dataclass(frozen=True)
class Tally:
    """How two models fared against each other, from the first one's side. Both bad is a tie of another kind."""

    wins: float = 0
    losses: float = 0
    ties: float = 0
    both_bad: float = 0

    @property
    def n(self) -> float:
        """All votes."""
        return self.wins + self.losses + self.ties + self.both_bad

    @property
    def even(self) -> float:
        """Votes in which neither won."""
        return self.ties + self.both_bad

    @property
    def rate(self) -> float:
        """Wins and half of what neither won, of all votes; NaN without votes."""
        return (self.wins + self.even / 2) / self.n if self.n else float("nan")

    def turned(self) -> Tally:
        """The same from the other's side."""
        return Tally(self.losses, self.wins, self.ties, self.both_bad)

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def times(self, factor: float) -> Tally:
        """What as many times more votes of the same kind would be."""
        return Tally(*(factor * getattr(self, field.name) for field in fields(self)))


def tallies(votes: Iterable[Vote]) -> dict[tuple[str, str], Tally]:
    """The votes between every two models, in one pass, by their names in alphabetical order."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for vote in votes:
        ordered = vote if vote.model_a <= vote.model_b else vote.turned()
        counts.setdefault((ordered.model_a, ordered.model_b), Counter())[ordered.outcome] += 1
    return {
        pair: Tally(count["a"], count["b"], count["tie"], count["both_bad"]) for pair, count in sorted(counts.items())
    }


def tally(votes: Iterable[Vote], a: str, b: str) -> Tally:
    """The votes between two models, from the side of `a`."""
    count = tallies(votes).get((min(a, b), max(a, b)), Tally())
    return count if a <= b else count.turned()


def look(text: str) -> Look:
    """What an answer looks like, counted on Markdown."""
    return Look(
        characters=len(text),
        words=len(text.split()),
        headers=len(re.findall(r"^#{1,6} ", text, re.MULTILINE)),
        list_items=len(re.findall(r"^\s*(?:[-*+]|\d+[.)]) ", text, re.MULTILINE)),
        bold=len(re.findall(r"\*\*[^*\n]+\*\*|__[^_\n]+__", text)),
        code_blocks=len(re.findall(r"^```", text, re.MULTILINE)) // 2,
    )
