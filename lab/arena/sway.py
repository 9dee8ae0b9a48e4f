"""What sways a vote besides the answer: its side, its length, its formatting; and the win rate without that.

One regression for all of it (Davidson's model of `davidson.py`), over the votes of all models together:

    η = θ_a − θ_b + β_side · (+1 if a stood left, else −1) + Σ β_x · difference in x between a and b

Lengths enter as the difference of their logarithms, formats as (count_a − count_b) / (count_a + count_b + 1), as
LMArena does; both divided by their root mean square, so that β is log-odds per typical difference. β of length and
formats has a normal prior of mean 0 and variance 1: without it, a model that always writes longer has its whole lead
explained away. The prior of the side has variance 4, which only keeps it finite. Intervals use the larger of the
model's own variance and one that lets the votes on a prompt hang together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lab.agreement import Share, mcnemar, wilson
from lab.arena.davidson import TIE_PENALTY, Z95, Array, Comparisons, Fit, fit, probabilities, score_test
from lab.arena.strength import PENALTY
from lab.arena.votes import Look, Vote, as_votes, tallies
from lab.arena.win_rate import WinRate, votes_to_see

PRIOR, SIDE_PRIOR = 0.5, 0.125
"""Penalties of length and formats, and of the side: 1 / (2 · variance)."""
INSEPARABLE = 0.9
"""Correlation of a model with length above which their effects cannot be told apart."""
FORMATS = ("headers", "list_items", "bold", "code_blocks")
NAMES = {"list_items": "list items", "code_blocks": "code blocks"}


@dataclass(frozen=True)
class Effect:
    """How much something sways a vote: log-odds per typical difference, 95 % interval and p-value of "not at all"."""

    name: str
    coefficient: float
    low: float
    high: float
    p: float
    typical: float
    """The typical (root mean square) difference that the coefficient is for."""

    @property
    def is_found(self) -> bool:
        """Whether the interval leaves 0."""
        return not self.low <= 0 <= self.high

    @property
    def share(self) -> tuple[float, float, float]:
        """The same as a share of votes: how often an answer with it would win over an equal one, with interval."""
        return _share(self.coefficient), _share(self.low), _share(self.high)

    @property
    def sentence(self) -> str:
        """The effect in words."""
        rate, low, high = self.share
        more = "on the left" if self.name == "left" else _more(self.name)
        verdict = "" if self.is_found else " That can be chance."
        return f"Between equal answers the one {more} would win {rate:.0%} ({low:.0%} to {high:.0%}).{verdict}"


@dataclass(frozen=True)
class PositionBias:
    """Does the side decide? `left` is the share of decisive votes for the left answer; `p` its exact binomial test;
    `adjusted` the effect of the side once the models' strengths are taken into account (None without sides)."""

    left: Share
    p: float
    adjusted: Effect | None
    flips: Share
    """Pairs shown again with the sides exchanged: how many got another answer."""
    flip_p: float
    """McNemar's test: of the flips between left and right, did the person stay on one side?"""

    @property
    def is_found(self) -> bool:
        """Whether the test rejects at 5 %."""
        return self.left.n > 0 and self.p < 0.05

    @property
    def sentence(self) -> str:
        """The result and what it could have seen at all."""
        if not self.left.n:
            return "No vote for a side yet."
        found = f"The left answer won {self.left.rate:.0%} of {self.left.n} decided votes"
        found += f" ({self.left.low:.0%} to {self.left.high:.0%}, p {_p_value(self.p)})."
        needed = votes_to_see(0.55)
        if self.is_found or self.left.n >= needed:
            return found
        return f"{found} To see a lean of 55 % takes {needed} such votes, of 65 % {votes_to_see(0.65)}."


@dataclass(frozen=True)
class Effects:
    """The regression of all votes whose sides or looks are known."""

    models: tuple[str, ...]
    columns: tuple[Effect, ...]
    fitted: Fit
    covariance: Array
    n: int

    def effect(self, name: str) -> Effect | None:
        """The effect called `left`, `length`, `headers`, `list_items`, `bold` or `code_blocks`, if it varies here."""
        return next((effect for effect in self.columns if effect.name == name), None)

    def rate(self, a: str, b: str) -> tuple[float, float, float]:
        """How often `a` is preferred over `b` when everything else is equal, with interval."""
        contrast = np.zeros(len(self.fitted.beta))
        contrast[self.models.index(a)], contrast[self.models.index(b)] = 1.0, -1.0
        middle, spread = float(contrast @ self.fitted.beta), Z95 * _spread(self.covariance, contrast)
        eta = np.array([middle, middle - spread, middle + spread])
        wins, ties, _ = probabilities(eta, self.fitted.log_nu)
        rate, low, high = (float(x) for x in wins + ties / 2)
        return rate, low, high


def effects(votes: Iterable[Sequence], names: Sequence[str] = ("left", "length", *FORMATS)) -> Effects | None:
    """Fit the model of this file with the effects in `names` that vary in the votes; None when none does."""
    made = [vote for vote in as_votes(votes) if vote.a_is_left is not None or vote.look_a is not None]
    raw = {name: np.array([_difference(vote, name) for vote in made]) for name in names}
    scale = {name: float(np.sqrt((values**2).mean())) for name, values in raw.items() if len(made) and values.any()}
    if not scale:
        return None
    models = tuple(sorted({name for vote in made for name in (vote.model_a, vote.model_b)}))
    place = {model: at for at, model in enumerate(models)}
    design = np.zeros((len(made), len(models) + len(scale)))
    for row, vote in enumerate(made):
        design[row, place[vote.model_a]] += 1
        design[row, place[vote.model_b]] -= 1
    for at, name in enumerate(scale):
        design[:, len(models) + at] = raw[name] / scale[name]
    wins, losses = (np.array([vote.outcome == side for vote in made], dtype=float) for side in "ab")
    data = Comparisons(design, wins, 1 - wins - losses, losses)
    penalty = np.array([PENALTY] * len(models) + [SIDE_PRIOR if name == "left" else PRIOR for name in scale])
    fitted = fit(data, penalty)
    covariance = _covariance(data, fitted, penalty, [vote.prompt for vote in made])
    columns = [
        _effect(data, fitted, covariance, penalty, len(models) + at, name, typical)
        for at, (name, typical) in enumerate(scale.items())
    ]
    return Effects(models, tuple(columns), fitted, covariance, len(made))


def position_bias(
    votes: Iterable[Sequence], repeats: Sequence[tuple[Vote, Vote]] = (), found: Effects | None = None
) -> PositionBias:
    """The test for a preference of one side. `repeats` are pairs of votes of one person on one pair, sides exchanged;
    `found` spares a second fit when `effects` was called already."""
    from scipy.stats import binomtest

    made = [vote for vote in as_votes(votes) if vote.a_is_left is not None]
    decided = [vote for vote in made if vote.outcome in ("a", "b")]
    left = wilson(sum(_chose_left(vote) for vote in decided), len(decided))
    p = float(binomtest(int(left.count), left.n).pvalue) if left.n else 1.0
    found = found or effects(made, ["left"])
    flips = [(first, again) for first, again in repeats if first.outcome != again.outcome]
    sided = [_chose_left(first) for first, again in flips if {first.outcome, again.outcome} == {"a", "b"}]
    return PositionBias(
        left=left,
        p=p,
        adjusted=found.effect("left") if found else None,
        flips=wilson(len(flips), len(repeats)),
        flip_p=mcnemar(sum(sided), len(sided) - sum(sided)) if sided else 1.0,
    )


def longer_wins(votes: Iterable[Sequence]) -> Share:
    """Of the decided votes between answers of different length, how many the longer one won."""
    sized = [(vote, _difference(vote, "length")) for vote in as_votes(votes) if vote.outcome in ("a", "b")]
    sized = [(vote, difference) for vote, difference in sized if difference]
    return wilson(sum((difference > 0) == (vote.outcome == "a") for vote, difference in sized), len(sized))


@dataclass(frozen=True)
class AdjustedRate:
    """A win rate with something held equal. `warning` says when the votes cannot tell."""

    rate: WinRate
    held_equal: tuple[str, ...]
    warning: str = ""


def adjusted_win_rate(
    votes: Iterable[Sequence], a: str, b: str, held_equal: Sequence[str] = ("left", "length")
) -> AdjustedRate | None:
    """How often `a` is preferred over `b` with the side, or the side and the length, held equal (length-controlled).
    None when nothing of `held_equal` varies, or nobody voted between the two."""
    made = as_votes(votes)
    counts = tallies(made).get((min(a, b), max(a, b)))
    found = effects(made, held_equal)
    if found is None or counts is None or not {a, b} <= set(found.models):
        return None
    rate, low, high = found.rate(a, b)
    between = WinRate(a, b, rate, low, high, counts if a <= b else counts.turned())
    return AdjustedRate(between, tuple(held_equal), _inseparable(made, a, b) if "length" in held_equal else "")


# --- the regression's parts -----------------------------------------------------------------------------------------


def _difference(vote: Vote, name: str) -> float:
    """By how much answer a has more of it than answer b; 0 where it is not known."""
    if name == "left":
        return 0.0 if vote.a_is_left is None else 1.0 if vote.a_is_left else -1.0
    a, b = vote.look_a or Look(), vote.look_b or Look()
    if name == "length":
        return math.log((a.characters + 1) / (b.characters + 1))
    more, less = getattr(a, name), getattr(b, name)
    return (more - less) / (more + less + 1)


def _effect(
    data: Comparisons, fitted: Fit, covariance: Array, penalty: Array, at: int, name: str, typical: float
) -> Effect:
    contrast = np.zeros(data.design.shape[1])
    contrast[at] = 1.0
    value, spread = float(fitted.beta[at]), _spread(covariance, contrast)
    z = score_test(data, contrast, 0.0, penalty)
    p = math.erfc(abs(z) / math.sqrt(2))
    return Effect(name, value, value - Z95 * spread, value + Z95 * spread, p, typical)


def _covariance(data: Comparisons, fitted: Fit, penalty: Array, clusters: list[str]) -> Array:
    """Of (β, log ν): the inverse information, and the sandwich over prompts where votes share one, stacked."""
    size = len(fitted.beta) + (1 if math.isfinite(fitted.log_nu) else 0)
    weight = np.append(penalty, TIE_PENALTY)[:size]
    inverse: Array = np.linalg.inv(fitted.information[:size, :size] + np.diag(2 * weight))
    names = sorted(set(clusters) - {""})
    if len(names) < 2 or len(names) == len(clusters):
        return inverse[None, :, :]
    rows = _row_scores(data, fitted)[:, :size]
    grouped = np.array([rows[[cluster == name for cluster in clusters]].sum(0) for name in names])
    alone = rows[[cluster == "" for cluster in clusters]]
    middle = grouped.T @ grouped * len(names) / (len(names) - 1) + alone.T @ alone
    return np.stack([inverse, inverse @ middle @ inverse])


def _row_scores(data: Comparisons, fitted: Fit) -> Array:
    """Gradient of each row's log-likelihood, (R, P+1)."""
    win, tie, loss = probabilities(data.design @ fitted.beta + data.offset, fitted.log_nu)
    slope = data.lead - data.n * (win - loss) / 2
    return np.column_stack([data.design * slope[:, None], data.ties - data.n * tie])


def _spread(covariance: Array, contrast: Array) -> float:
    whole = np.zeros(covariance.shape[1])
    whole[: len(contrast)] = contrast
    return max(math.sqrt(max(0.0, float(whole @ matrix @ whole))) for matrix in covariance)


def _chose_left(vote: Vote) -> bool:
    return (vote.outcome == "a") == vote.a_is_left


def _share(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _more(name: str) -> str:
    return "that is longer, by the usual difference," if name == "length" else f"with more {NAMES.get(name, name)}"


def _inseparable(votes: list[Vote], a: str, b: str) -> str:
    """A warning when one of two models is always the longer one by as much."""
    between = [vote if vote.model_a == a else vote.turned() for vote in votes if {vote.model_a, vote.model_b} == {a, b}]
    lengths = np.array([_difference(vote, "length") for vote in between])
    if not lengths.any() or abs(lengths.mean()) / math.sqrt((lengths**2).mean()) <= INSEPARABLE:
        return ""
    longer = a if lengths.mean() > 0 else b
    return (
        f"{longer} is nearly always longer by about as much, so its length and its quality cannot be told apart here: "
        "the length-controlled rate rests on the prior."
    )
