"""What the votes of a project say, and how far they can be trusted. Every number comes with its n and its interval, or
with the reason why it is missing."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, is_dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from lab.agreement import Coefficient, Share, cohen_kappa, krippendorff_alpha, wilson
from lab.arena import (
    AdjustedRate,
    Effect,
    PositionBias,
    Vote,
    WinRate,
    adjusted_win_rate,
    bradley_terry,
    effects,
    longer_wins,
    more_votes_sentence,
    position_bias,
    win_rate,
)
from lab.labeling.people import PersonReport, person_report, repeats_of, self_agreement, votes_per_hour
from lab.labeling.state import ProjectState

if TYPE_CHECKING:
    import pandas as pd

    from lab.labeling.desk import Project

SHOWN_DISPUTES = 50


@dataclass(frozen=True)
class RateReport:
    """One model against another: as voted, with the side held equal, with side and length held equal."""

    raw: WinRate
    same_side: AdjustedRate | None
    same_length: AdjustedRate | None
    more_votes: str


@dataclass(frozen=True)
class JudgeReport:
    """A judge beside the people it came after."""

    name: str
    items: int
    kappa: Coefficient
    consistent: Share
    """How often both orders gave the same answer."""


@dataclass(frozen=True)
class Report:
    """See the fields; `to_json` for a page."""

    name: str
    pairs: int
    """Pairs there are by now."""
    same_answers: int
    """Pairs of which both answers are one text: nobody is asked."""
    voted: int
    """Pairs with a vote."""
    votes: int
    """Votes that count, planted pairs not among them."""
    choices: dict[str, int]
    per_hour: float | None
    ties: Share
    both_bad: Share
    skips: Share
    flags: int
    alpha: Coefficient
    kappas: list[tuple[str, str, Coefficient]]
    self_consistency: Share
    position: PositionBias
    length: Effect | None
    longer: Share
    formats: list[Effect]
    rates: list[RateReport]
    leaderboard: pd.DataFrame | None
    connected: str
    """What has to be said when votes do not connect all models; empty when they do."""
    disputes: list[dict[str, Any]]
    """Pairs that people disagree about: prompt, answers, and who said what."""
    people: list[PersonReport]
    judges: list[JudgeReport]

    def to_json(self) -> dict[str, Any]:
        """As JSON values, NaN and infinity as null."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__} | {
            "sentences": {
                "position": self.position.sentence,
                "length": self.length.sentence if self.length else "",
                "rates": [each.raw.sentence for each in self.rates],
            }
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.votes} votes on {self.voted} of {self.pairs} pairs."]
        lines += [each.raw.sentence for each in self.rates[:6]] + [self.position.sentence]
        lines += [self.length.sentence] if self.length else []
        alpha = self.alpha.undefined or f"{self.alpha:.2f} ({self.alpha.low:.2f} to {self.alpha.high:.2f})"
        return "\n".join([*lines, f"Krippendorff's α: {alpha}"])


def report(project: Project) -> Report:
    """The report of a project as it stands."""
    with project.lock:
        state = project.state
        stored = [vote for vote in state.counting_votes() if vote.showing.kind == "first"]
        votes = [made for vote in stored for made in vote.votes(state.items[vote.showing.item])]
        table, items = _labels(state)
        repeats = repeats_of(state)
        people = [person_report(state, name) for name in sorted(state.people)]
        pace = [each.per_hour for each in people if each.per_hour is not None]
        choices = Counter[str](vote.choice for vote in stored)
        judges = _judges(state)
        disputes = _disputes(state)
        counts = (len(state.items), sum(item.is_same for item in state.items.values()), len(items))
        flags, own = sum(bool(vote.remarks.flag) for vote in stored), self_agreement(state)
        per_hour = votes_per_hour(state.counting_votes()) if len(pace) < 2 else sum(pace) / len(pace)
    found = effects(votes)
    board = bradley_terry(votes) if any(vote.model_a != vote.model_b for vote in votes) else None
    said = len(votes)
    return Report(
        name=project.name,
        pairs=counts[0],
        same_answers=counts[1],
        voted=counts[2],
        votes=len(stored) - choices["skip"],
        choices=dict(choices),
        per_hour=per_hour,
        ties=wilson(sum(vote.outcome == "tie" for vote in votes), said),
        both_bad=wilson(sum(vote.outcome == "both_bad" for vote in votes), said),
        skips=wilson(choices["skip"], len(stored)),
        flags=flags,
        alpha=krippendorff_alpha(list(table.values())),
        kappas=[(a, b, cohen_kappa(table[a], table[b])) for a, b in combinations(sorted(table), 2)],
        self_consistency=own,
        position=position_bias(votes, repeats, found),
        length=found.effect("length") if found else None,
        longer=longer_wins(votes),
        formats=[effect for effect in found.columns if effect.name not in ("left", "length")] if found else [],
        rates=_rates(votes),
        leaderboard=board,
        connected=str(board.attrs["sentence"]) if board is not None else "",
        disputes=disputes,
        people=people,
        judges=judges,
    )


def _labels(state: ProjectState) -> tuple[dict[str, list[str | None]], list[str]]:
    """Who said what of which item, by answer: one row per person, and the items of the columns. A ranking counts as
    its order."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for vote in state.counting_votes():
        if vote.showing.kind == "first" and vote.choice != "skip":
            item = state.items[vote.showing.item]
            said[item.id][vote.annotator] = " ".join(made.outcome for made in vote.votes(item))
    people = sorted({name for labels in said.values() for name in labels})
    return {name: [labels.get(name) for labels in said.values()] for name in people}, list(said)


def _rates(votes: list[Vote]) -> list[RateReport]:
    found = []
    for a, b in sorted({tuple(sorted((v.model_a, v.model_b))) for v in votes if v.model_a != v.model_b}):
        first, second = _tuned_first(a, b)
        raw = win_rate(votes, first, second)
        found.append(
            RateReport(
                raw=raw,
                same_side=adjusted_win_rate(votes, first, second, ["left"]),
                same_length=adjusted_win_rate(votes, first, second, ["left", "length"]),
                more_votes=more_votes_sentence(raw),
            )
        )
    return found


def _tuned_first(a: str, b: str) -> tuple[str, str]:
    """Two models in the order in which one asks: how often is the tuned one preferred over the base?"""
    return (b, a) if "base" in a.partition(":")[2] or b.startswith("run:") > a.startswith("run:") else (a, b)


def _disputes(state: ProjectState) -> list[dict[str, Any]]:
    """The items that people disagree about, the most divided first."""
    table, items = _labels(state)
    found: list[dict[str, Any]] = []
    for at, item_id in enumerate(items):
        said = {name: label for name, row in table.items() if (label := row[at]) is not None}
        if len(set(said.values())) < 2:
            continue
        item, most = state.items[item_id], max(Counter(said.values()).values())
        answers = [answer.text for answer in item.answers]
        found.append({"item": item_id, "prompt": item.prompt_text, "answers": answers, "said": said, "agree": most})
    found.sort(key=lambda dispute: (dispute["agree"] / len(dispute["said"]), -len(dispute["said"])))
    return found[:SHOWN_DISPUTES]


def _judges(state: ProjectState) -> list[JudgeReport]:
    """Each judge beside what most people said of the same items."""
    table, items = _labels(state)
    people = {
        item: Counter(sorted(label for row in table.values() if (label := row[at]) is not None)).most_common(1)[0][0]
        for at, item in enumerate(items)
    }
    found = []
    for judge in sorted({name for name, _ in state.verdicts}):
        said = [verdict for (name, item), verdict in state.verdicts.items() if name == judge and item in people]
        kappa = cohen_kappa([verdict.outcome for verdict in said], [people[verdict.item] for verdict in said])
        found.append(
            JudgeReport(judge, len(said), kappa, wilson(sum(verdict.consistent for verdict in said), len(said)))
        )
    return found


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Coefficient):
        parts = ("low", "high", "observed", "items", "undefined")
        return {"value": _plain(float(value))} | {part: _plain(getattr(value, part)) for part in parts}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        plain = {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return plain | ({"sentence": value.sentence} if hasattr(value, "sentence") else {})
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "to_dict"):
        return [_plain(row) for row in value.to_dict("records")]
    return value if isinstance(value, (int, str, bool, type(None))) else asdict(value)
