"""Do people agree, and more than chance would have them? Standard coefficients from the libraries that are known for
them, with what a person needs beside the number: an interval, the n, and a sentence when there is no number.

Labels are a table: one row per annotator, one column per item, None where somebody did not label an item. A label is
about answers, never about sides (left of one person may be right of another).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

Labels = Sequence[Sequence[Hashable]]
"""One row per annotator, one column per item; None is a missing label."""
Level = Literal["nominal", "ordinal", "interval"]

NOBODY_TWICE = "No item has labels of two people yet, so there is nothing to compare."
ONE_ANSWER = (
    "Every label is the same, so chance alone would agree just as often: "
    "there is no agreement beyond chance to measure yet."
)


class Coefficient(float):
    """An agreement coefficient: the number itself (NaN when undefined) and what belongs to it."""

    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""
    observed: float
    """Share of pairs of labels that agree, chance not taken off."""
    items: int
    """Items that entered: those with at least two labels."""
    undefined: str
    """Why there is no number; empty when there is one."""

    @classmethod
    def of(cls, value: float, low: float, high: float, observed: float, items: int, undefined: str = "") -> Self:
        """A coefficient with all its parts."""
        made = cls(value)
        made.low, made.high, made.observed, made.items, made.undefined = low, high, observed, items, undefined
        return made

    @classmethod
    def missing(cls, sentence: str, observed: float = math.nan, items: int = 0) -> Self:
        """No number, and the sentence that says why."""
        return cls.of(math.nan, math.nan, math.nan, observed, items, sentence)


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % interval (Wilson 1927). NaN, 0 and 1 without any n."""

    count: float
    n: int
    rate: float
    low: float
    high: float


def wilson(count: int, n: int) -> Share:
    """The share `count` of `n` with Wilson's interval, which stays inside 0…1 and holds its level at small n."""
    if n == 0:
        return Share(0, 0, math.nan, 0.0, 1.0)
    from scipy.stats import binomtest

    interval = binomtest(count, n).proportion_ci(0.95, method="wilson")
    return Share(count, n, count / n, float(interval.low), float(interval.high))


def cohen_kappa(
    labels: Labels | Sequence[Hashable],
    second: Sequence[Hashable] | None = None,
    *,
    order: Sequence[Hashable] = (),
    weights: Literal["linear", "quadratic"] | None = None,
) -> Coefficient:
    """Cohen's κ (1960) of two annotators, given as a table of two rows or as two sequences.

    `weights` counts near misses of graded labels, whose `order` has to be given. The interval carries Wilson's interval
    of the raw agreement over to κ, so that perfect agreement on ten items is not reported as certain; with weights it
    is the usual large-sample one.
    """
    first, other = (labels, second) if second is not None else _two_rows(labels)
    pairs = [(a, b) for a, b in zip(first, other, strict=True) if not (_is_missing(a) or _is_missing(b))]
    same = sum(a == b for a, b in pairs)
    if not pairs:
        return Coefficient.missing(NOBODY_TWICE)
    categories = _categories((x for pair in pairs for x in pair), order)
    if len(categories) < 2:
        return Coefficient.missing(ONE_ANSWER, observed=same / len(pairs), items=len(pairs))
    from statsmodels.stats.inter_rater import cohens_kappa

    place = {label: at for at, label in enumerate(categories)}
    table = np.zeros((len(place), len(place)))
    for a, b in pairs:
        table[place[a], place[b]] += 1
    with np.errstate(invalid="ignore", divide="ignore"):  # it also divides by the error of κ = 0, which may be 0
        result = cohens_kappa(table, wt=weights)
    low, high = float(result.kappa_low), float(result.kappa_upp)
    if weights is None:
        share, chance = wilson(same, len(pairs)), float(table.sum(0) @ table.sum(1)) / len(pairs) ** 2
        low, high = (share.low - chance) / (1 - chance), (share.high - chance) / (1 - chance)
    return Coefficient.of(float(result.kappa), low, high, same / len(pairs), len(pairs))


def fleiss_kappa(labels: Labels, *, seed: int = 0, resamples: int = 1000) -> Coefficient:
    """Fleiss' κ (1971): the same number of labels on every item, from whomever. Items with fewer labels than the most
    labeled one are left out (Krippendorff's α uses them). The interval is a bootstrap over items."""
    counts, _ = _counts(labels)
    if not len(counts):
        return Coefficient.missing(NOBODY_TWICE)
    counts = counts[counts.sum(1) == counts.sum(1).max()]
    observed = float(_agreeing_pairs(counts).mean())
    if (counts.sum(0) > 0).sum() < 2:
        return Coefficient.missing(ONE_ANSWER, observed, len(counts))
    from statsmodels.stats.inter_rater import fleiss_kappa as fleiss

    low, high = _bootstrap(counts, _fleiss_resampled(counts), seed, resamples, observed)
    return Coefficient.of(float(fleiss(counts)), low, high, observed, len(counts))


def krippendorff_alpha(
    labels: Labels,
    *,
    level: Level = "nominal",
    order: Sequence[Hashable] = (),
    seed: int = 0,
    resamples: int = 1000,
) -> Coefficient:
    """Krippendorff's α (1970): any number of annotators, missing labels allowed. Graded labels take `level` ordinal or
    interval and their `order`, from least to most. The interval is a bootstrap over items, seeded."""
    counts, categories = _counts(labels, order)
    if not len(counts):
        return Coefficient.missing(NOBODY_TWICE)
    pairs = counts.sum(1) * (counts.sum(1) - 1)
    observed = float(_agreeing_pairs(counts) @ pairs / pairs.sum())
    if len(categories) < 2 or (counts.sum(0) > 0).sum() < 2:
        return Coefficient.missing(ONE_ANSWER, observed, len(counts))
    low, high = _bootstrap(counts, _alpha_resampled(counts, level), seed, resamples, observed)
    return Coefficient.of(_alpha(counts, level), low, high, observed, len(counts))


def mcnemar(first_only: int, second_only: int) -> float:
    """p-value of McNemar's exact test (1947): of the items that changed, did as many change one way as the other?"""
    from statsmodels.stats.contingency_tables import mcnemar as test

    return float(test(np.array([[0, first_only], [second_only, 0]]), exact=True).pvalue)


# --- counting -------------------------------------------------------------------------------------------------------


def _is_missing(label: Hashable) -> bool:
    return label is None or (isinstance(label, float) and math.isnan(label))


def _two_rows(labels: Labels | Sequence[Hashable]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    if len(labels) != 2:
        raise ValueError(f"Cohen's κ compares two annotators, not {len(labels)}; for more use fleiss_kappa.")
    first, second = labels
    return first, second  # type: ignore[return-value]


def _categories(found: Iterable[Hashable], order: Sequence[Hashable]) -> list[Hashable]:
    seen = set(found)
    if unknown := seen - set(order) if order else set():
        raise ValueError(f"labels that are not in the given order: {sorted(map(str, unknown))}")
    return list(order) or sorted(seen, key=lambda label: (str(type(label)), label))  # type: ignore[arg-type]


def _counts(labels: Labels, order: Sequence[Hashable] = ()) -> tuple[np.ndarray, list[Hashable]]:
    """How often each item got each label, (items, categories), for items with two labels or more."""
    columns = [Counter(label for label in column if not _is_missing(label)) for column in zip(*labels, strict=True)]
    columns = [column for column in columns if column.total() >= 2]
    categories = _categories((label for column in columns for label in column), order)
    return np.array([[column[label] for label in categories] for column in columns], dtype=int), categories


def _agreeing_pairs(counts: np.ndarray) -> np.ndarray:
    """For each item, the share of pairs of its labels that are equal."""
    n = counts.sum(-1)
    return (counts * (counts - 1)).sum(-1) / (n * (n - 1))


Resampled = Callable[[np.ndarray], np.ndarray]
"""A coefficient of many samples at once, from how often each drew each item: (samples, items) → (samples,)."""


def _fleiss_resampled(counts: np.ndarray) -> Resampled:
    agreeing = _agreeing_pairs(counts)

    def coefficient(draws: np.ndarray) -> np.ndarray:
        share = draws @ counts / counts[0].sum() / len(counts)
        chance = (share**2).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (draws @ agreeing / len(counts) - chance) / (1 - chance)

    return coefficient


def _alpha_resampled(counts: np.ndarray, level: Level) -> Resampled:
    n = counts.sum(1)
    differing = (n**2 - (counts**2).sum(1)) / (n - 1)

    def nominal(draws: np.ndarray) -> np.ndarray:
        total = draws @ counts
        by_chance = (total.sum(1) ** 2 - (total**2).sum(1)) / (total.sum(1) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - draws @ differing / by_chance

    def graded(draws: np.ndarray) -> np.ndarray:
        return np.array([_alpha(np.repeat(counts, draw, axis=0), level) for draw in draws])

    return nominal if level == "nominal" else graded


def _alpha(counts: np.ndarray, level: Level) -> float:
    import krippendorff

    if (counts.sum(0) > 0).sum() < 2:
        return math.nan
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement=level))


def _bootstrap(
    counts: np.ndarray, coefficient: Resampled, seed: int, resamples: int, observed: float
) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 over items drawn with replacement. Perfect agreement resamples to itself for ever: then
    the lower end is what the coefficient would be at the lower end of Wilson's interval of the raw agreement."""
    items = len(counts)
    draws = np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), size=resamples)
    values = coefficient(draws)
    values = values[np.isfinite(values)]
    low, high = (float(x) for x in np.quantile(values, [0.025, 0.975])) if len(values) else (math.nan, math.nan)
    if observed == 1:
        share = counts.sum(0) / counts.sum()
        low = 1 - (1 - wilson(items, items).low) / (1 - float((share**2).sum()))
    return low, high
