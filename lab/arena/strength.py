"""Strengths of models from votes between them: Bradley–Terry (1952) with Davidson's ties, penalised, with intervals.

A rating is 1000 + 400/ln 10 · θ as in chess: 400 points are odds of 10 to 1; the mean of all models is 1000. θ is the
maximum of the likelihood with a penalty of `PENALTY` · Σθ² (before any vote a gap of ±550 points is the usual size), so
it is finite when one model won every vote. The penalty does not enter the intervals: they are score intervals
(`davidson.py`), and where the votes set no bound an end is infinite and the table says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lab.arena.davidson import Z95, Array, Comparisons, Fit, fit, score_test, solve_interval
from lab.arena.votes import Tally, as_votes, tallies

if TYPE_CHECKING:
    import pandas as pd

PENALTY = 0.1
"""Weight of Σθ² in the fit, in the sense of choix's `alpha`."""
ELO = 400 / math.log(10)
"""Rating points per unit of log-odds."""


@dataclass(frozen=True)
class Gap:
    """How far `a` is ahead of `b`, in rating points, with its 95 % interval; an end may be infinite."""

    a: str
    b: str
    points: float
    low: float
    high: float

    @property
    def sentence(self) -> str:
        """The gap in words, one-sided where it is."""
        if math.isinf(self.low) and math.isinf(self.high):
            return f"The votes so far say nothing certain about the gap between {self.a} and {self.b}."
        if math.isinf(self.high):
            return f"{self.a} is at least {self.low:+.0f} points from {self.b}; the votes set no upper end."
        if math.isinf(self.low):
            return f"{self.a} is at most {self.high:+.0f} points from {self.b}; the votes set no lower end."
        return (
            f"{self.a} is {self.points:+.0f} points from {self.b} (95 % interval {self.low:+.0f} to {self.high:+.0f})."
        )


@dataclass(frozen=True)
class Strengths:
    """The fit: `theta` in log-odds with mean 0 (in each group, when votes do not connect them all)."""

    models: tuple[str, ...]
    data: Comparisons
    fitted: Fit
    groups: tuple[tuple[str, ...], ...]
    penalty: float

    @property
    def tie_readiness(self) -> float:
        """Davidson's ν: the odds of a tie between equals are ν to 2."""
        return math.exp(self.fitted.log_nu)

    def rating(self, model: str) -> tuple[float, float, float]:
        """Rating of a model and its interval."""
        here = np.array([name == model for name in self.models], dtype=float)
        points, low, high = self._contrast(here - 1 / len(self.models), connected=len(self.groups) == 1)
        return 1000 + points, 1000 + low, 1000 + high

    def gap(self, a: str, b: str) -> Gap:
        """How far `a` is ahead of `b`."""
        if a == b:
            return Gap(a, b, 0.0, 0.0, 0.0)
        points, low, high = self._contrast(self._difference(a, b), connected=self._connected(a, b))
        return Gap(a, b, points, low, high)

    def is_ahead(self, a: str, b: str) -> bool:
        """Whether the interval of the gap lies above 0."""
        if a == b or not self._connected(a, b):
            return False
        return score_test(self.data, self._difference(a, b), 0.0, self.penalty) > self.critical

    @property
    def sentence(self) -> str:
        """What has to be said before the table is read; empty when nothing."""
        if len(self.groups) < 2:
            return ""
        names = "; ".join(", ".join(group) for group in self.groups)
        return (
            f"The comparisons fall into {len(self.groups)} groups that no vote connects ({names}). "
            "Ratings of different groups cannot be compared until somebody votes between them."
        )

    def _difference(self, a: str, b: str) -> Array:
        return np.array([(name == a) - (name == b) for name in self.models], dtype=float)

    def _connected(self, a: str, b: str) -> bool:
        return any(a in group and b in group for group in self.groups)

    @property
    def critical(self) -> float:
        """The normal quantile, wider by the strengths that are estimated beside the one asked about."""
        n, beside = float(self.data.n.sum()), len(self.models) - 2
        return Z95 * math.sqrt(n / (n - beside)) if n > beside else math.inf

    def _contrast(self, contrast: Array, connected: bool) -> tuple[float, float, float]:
        at = float(contrast @ self.fitted.beta)
        if not connected:
            return at * ELO, -math.inf, math.inf
        low, high = solve_interval(
            lambda value: score_test(self.data, contrast, value, self.penalty), at, self.critical
        )
        return at * ELO, low * ELO, high * ELO


def strengths(votes: Iterable[Sequence], *, penalty: float = PENALTY) -> Strengths:
    """Fit the strengths of all models in the votes, whose order does not matter. Both bad counts as a tie. Raises
    `ValueError` without votes, and for penalty 0 where the maximum is not finite."""
    made = as_votes(votes)
    models = tuple(sorted({name for vote in made for name in (vote.model_a, vote.model_b)}))
    counts = {pair: count for pair, count in tallies(made).items() if pair[0] != pair[1]}
    if not counts:
        raise ValueError("there is no vote between two different models")
    design = np.array([[(name == a) - (name == b) for name in models] for a, b in counts], dtype=float)
    wins, ties, losses = np.array([(c.wins, c.even, c.losses) for c in counts.values()], dtype=float).T
    if penalty == 0 and not _is_bounded(models, counts):
        raise ValueError("some models never lost to some others: without a penalty their gap is infinite")
    data = Comparisons(design, wins, ties, losses)
    groups = _groups(models, list(counts))
    fitted = fit(data, max(penalty, 1e-12))  # without any penalty only differences are determined
    centred = fitted.beta - _group_means(models, groups, fitted.beta)
    return Strengths(models, data, replace(fitted, beta=centred), groups, penalty)


def bradley_terry(votes: Iterable[Sequence], *, penalty: float = PENALTY) -> pd.DataFrame:
    """The leaderboard: one row per model, best first, with columns `model rating low high rank votes wins losses ties
    both_bad note`. `rank` is 1 + the number of models whose lead over this one is certain (95 %). What has to be said
    about the whole, such as that the votes do not connect all models, is in `.attrs["sentence"]`."""
    import pandas as pd

    made = as_votes(votes)
    found = strengths(made, penalty=penalty)
    counts = tallies(made)
    rows = [_row(found, model, _against_all(counts, model)) for model in found.models]
    table = pd.DataFrame(rows).sort_values(["rating", "model"], ascending=[False, True])
    table.index = pd.Index(list(table["model"]))
    table.attrs["sentence"] = found.sentence
    table.attrs["tie_readiness"] = found.tie_readiness
    return table


def _row(found: Strengths, model: str, count: Tally) -> dict[str, object]:
    rating, low, high = found.rating(model)
    return {
        "model": model,
        "rating": rating,
        "low": low,
        "high": high,
        "rank": 1 + sum(found.is_ahead(other, model) for other in found.models),
        "votes": int(count.n),
        "wins": int(count.wins),
        "losses": int(count.losses),
        "ties": int(count.ties),
        "both_bad": int(count.both_bad),
        "note": _note(low, high, connected=len(found.groups) == 1),
    }


def _note(low: float, high: float, connected: bool) -> str:
    if not connected:
        return "not comparable with all others"
    if math.isinf(low) and math.isinf(high):
        return "no bound yet"
    return "no upper end yet" if math.isinf(high) else "no lower end yet" if math.isinf(low) else ""


def _against_all(counts: dict[tuple[str, str], Tally], model: str) -> Tally:
    total = Tally()
    for (a, b), count in counts.items():
        if model in (a, b) and a != b:
            total = total.plus(count if model == a else count.turned())
    return total


def _groups(models: tuple[str, ...], edges: list[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Models that votes connect, largest group first."""
    group = {model: {model} for model in models}
    for a, b in edges:
        joined = group[a] | group[b]
        for model in joined:
            group[model] = joined
    found = {tuple(sorted(members)) for members in group.values()}
    return tuple(sorted(found, key=lambda members: (-len(members), members)))


def _group_means(models: tuple[str, ...], groups: tuple[tuple[str, ...], ...], values: Array) -> Array:
    """For each model the mean value of its group."""
    means = {model: np.mean([values[models.index(name)] for name in group]) for group in groups for model in group}
    return np.array([means[model] for model in models])


def _is_bounded(models: tuple[str, ...], counts: dict[tuple[str, str], Tally]) -> bool:
    """Whether the plain maximum is finite: from every model of a group a chain of wins or ties leads to every other."""
    place = {model: at for at, model in enumerate(models)}
    beats, meets = np.eye(len(models), dtype=bool), np.eye(len(models), dtype=bool)
    for (a, b), count in counts.items():
        i, j = place[a], place[b]
        beats[i, j] |= count.wins + count.even > 0
        beats[j, i] |= count.losses + count.even > 0
        meets[i, j] = meets[j, i] = True
    for _ in models:
        beats, meets = beats @ beats, meets @ meets
    return bool((beats == meets).all())
