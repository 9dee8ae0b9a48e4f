"""What planted pairs and the clock say of one person: agreement with oneself, guesses on identical answers, pace."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from lab.agreement import Share, wilson
from lab.arena.votes import Vote
from lab.labeling.project import StoredVote
from lab.labeling.state import ProjectState

PAUSE = 120.0
"""Seconds between two votes that still count as working."""
HASTE = 0.5
"""Seconds within which nobody has read two answers."""


@dataclass(frozen=True)
class PersonReport:
    """One person's votes, in numbers."""

    name: str
    votes: int
    skips: int
    per_hour: float | None
    median_seconds: float | None
    self_consistency: Share
    left: Share
    identical: Share
    """Of the pairs with the same answer on both sides, how many were called a tie (or both bad)."""
    hasty: int
    """Votes within half a second."""


@dataclass(frozen=True)
class Progress:
    """How far a project is, seen by one person."""

    mine: int
    """Votes of this person."""
    voted: int
    """Pairs that somebody has voted on."""
    pairs: int
    """Pairs there are by now."""
    people: dict[str, int]
    """Votes of everybody who takes part."""


def progress(state: ProjectState, name: str) -> Progress:
    """How far a person and a project are."""
    voted = {state.votes[vote].showing.item for vote in state.vote_on.values()}
    different = sum(not item.is_same for item in state.items.values())
    people = {each.name: len(each.votes) for each in state.people.values()}
    return Progress(people.get(name, 0), len(voted), different, people)


def person_report(state: ProjectState, name: str) -> PersonReport:
    """The numbers of one person."""
    votes = [vote for vote in state.counting_votes() if vote.annotator == name]
    decided = [vote for vote in votes if vote.choice in ("left", "right") and vote.showing.kind != "identical"]
    same = [vote for vote in votes if vote.showing.kind == "identical" and vote.choice != "skip"]
    seconds = [vote.remarks.seconds for vote in votes if vote.remarks.seconds is not None]
    return PersonReport(
        name=name,
        votes=len(votes),
        skips=sum(vote.choice == "skip" for vote in votes),
        per_hour=votes_per_hour(votes),
        median_seconds=statistics.median(seconds) if seconds else None,
        self_consistency=self_agreement(state, name),
        left=wilson(sum(vote.choice == "left" for vote in decided), len(decided)),
        identical=wilson(sum(vote.choice in ("tie", "both_bad") for vote in same), len(same)),
        hasty=sum(second < HASTE for second in seconds),
    )


def votes_per_hour(votes: Iterable[StoredVote]) -> float | None:
    """Votes per hour of work, a longer pause counting as two minutes; None for fewer than two votes."""
    times = sorted(vote.time for vote in votes)
    if len(times) < 2:
        return None
    worked = sum(min(after - before, PAUSE) for before, after in pairwise(times))
    return 3600 * (len(times) - 1) / max(worked, 1e-3)


def repeats_of(state: ProjectState, name: str | None = None) -> list[tuple[Vote, Vote]]:
    """Votes of the same person on the same two answers, the sides exchanged: first and again."""
    found: list[tuple[Vote, Vote]] = []
    for again in state.counting_votes():
        if again.showing.kind != "repeat" or (name is not None and again.annotator != name):
            continue
        first = state.votes.get(state.vote_on.get(again.showing.repeats, ""))
        if first is None:
            continue
        item = state.items[again.showing.item]
        found += zip(first.votes(item), again.votes(item), strict=False)
    return found


def self_agreement(state: ProjectState, name: str | None = None) -> Share:
    """Of the repeated pairs, how many got the same answer again; of everybody without a name."""
    pairs = repeats_of(state, name)
    return wilson(sum(first.outcome == again.outcome for first, again in pairs), len(pairs))
