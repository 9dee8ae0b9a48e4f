"""What a reward model says of labels that were kept aside: how often it is right, how sure it is, what length has to
do with it, and where it is most wrong. Training leaves the rewards of every such pair in the run's folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.config import RewardModelConfig
from lab.intervals import wilson
from lab.run_dir import RunDir, read_jsonl

if TYPE_CHECKING:
    from lab.run import Run

BINS = 24
"""Bars of a histogram."""
CERTAINTIES = 5
"""Classes of certainty, from a coin's to near 1."""
WORST = 3
"""Pairs listed on which the model is surest and wrong."""


@dataclass(frozen=True)
class Judged:
    """A pair of replies and the rewards a model gives them."""

    prompt: str
    chosen: str
    rejected: str
    chosen_reward: float
    rejected_reward: float

    @property
    def margin(self) -> float:
        """By how much the chosen reply is ahead."""
        return self.chosen_reward - self.rejected_reward


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % interval (Wilson)."""

    share: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, count: float, n: int) -> Share:
        """The share `count` of `n`."""
        return cls(count / n if n else math.nan, *wilson(count, n), n)


@dataclass(frozen=True)
class RewardReport:
    """The judged pairs, ties left out."""

    pairs: list[Judged]

    @property
    def accuracy(self) -> Share:
        """How often the chosen reply has the higher reward; equal rewards count half."""
        return Share.of(sum(_right(pair.margin) for pair in self.pairs), len(self.pairs))

    @property
    def longer_wins(self) -> Share:
        """How often the longer reply is the chosen one: what a rule that only counts characters would reach."""
        return Share.of(sum(_right(len(pair.chosen) - len(pair.rejected)) for pair in self.pairs), len(self.pairs))

    def histograms(self) -> tuple[list[float], list[int], list[int]]:
        """Edges of the bins, and how many chosen and rejected replies have a reward in each."""
        chosen = [pair.chosen_reward for pair in self.pairs]
        rejected = [pair.rejected_reward for pair in self.pairs]
        low, high = min(chosen + rejected), max(chosen + rejected)
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        return edges.tolist(), *(np.histogram(values, edges)[0].tolist() for values in (chosen, rejected))

    def calibration(self) -> list[tuple[float, Share]]:
        """For classes of certainty: the mean probability that the model gives the reply it prefers, and how often that
        reply is the chosen one. Classes without pairs are left out."""
        found = []
        for number in range(CERTAINTIES):
            low = 0.5 + 0.5 * number / CERTAINTIES
            high = math.inf if number == CERTAINTIES - 1 else low + 0.5 / CERTAINTIES
            within = [(sure, pair) for pair in self.pairs if low <= (sure := _sigmoid(abs(pair.margin))) < high]
            if within:
                mean = sum(sure for sure, _ in within) / len(within)
                found.append((mean, Share.of(sum(_right(pair.margin) for _, pair in within), len(within))))
        return found

    def length_correlation(self) -> tuple[float, float, float]:
        """Rank correlation (Spearman) of reward and length in characters over all replies, with its 95 % interval by
        Fisher's transformation (variance 1.06 / (n − 3): Fieller et al. 1957). NaN for fewer than four replies."""
        lengths = [len(text) for pair in self.pairs for text in (pair.chosen, pair.rejected)]
        rewards = [reward for pair in self.pairs for reward in (pair.chosen_reward, pair.rejected_reward)]
        if len(rewards) < 4 or len(set(lengths)) == 1 or len(set(rewards)) == 1:
            return math.nan, math.nan, math.nan
        found = float(np.corrcoef(_ranks(lengths), _ranks(rewards))[0, 1])
        half = 1.96 * math.sqrt(1.06 / (len(rewards) - 3))
        middle = math.atanh(max(-0.999999, min(0.999999, found)))
        return found, math.tanh(middle - half), math.tanh(middle + half)

    def worst(self) -> list[Judged]:
        """The pairs on which the model is surest and wrong."""
        return [pair for pair in sorted(self.pairs, key=lambda pair: pair.margin)[:WORST] if pair.margin < 0]


def reward_report(run: RunDir) -> RewardReport | None:
    """The report of a run that trains or trained a reward model; None before it has measured for the first time."""
    try:
        scores: list[dict[str, Any]] = list(read_jsonl(run.path / "scores.jsonl"))
        rows: list[dict[str, Any]] = list(read_jsonl(run.data / "heldout.jsonl"))
    except (OSError, json.JSONDecodeError):
        return None
    judged = [
        Judged(row["prompt"][-1]["content"], row["chosen"], row["rejected"], score["chosen"], score["rejected"])
        for score in scores
        if not score["tie"] and score["pair"] < len(rows)
        for row in [rows[score["pair"]]]
    ]
    return RewardReport(judged) if judged else None


def label_curve(runs: Iterable[Run], run: Run) -> list[tuple[int, Share]]:
    """The learning curve: for every reward model of `runs` trained from the same model on the same set, how many labels
    it learned from and its accuracy on those kept aside, which are the same for all of them. The fewest labels first;
    of several with as many, the first of `runs`."""
    found: dict[int, Share] = {}
    for other in runs:
        config = other.config
        if not isinstance(config, RewardModelConfig) or not _same_start(config, run.config):
            continue
        report = reward_report(RunDir(other.folder)) if other.status in ("finished", "stopped") else None
        if report is not None:
            rows = int(RunDir(other.folder).about().get("rows", {}).get("train", 0))
            found.setdefault(min(config.labels or rows, rows), report.accuracy)
    return sorted(found.items())


def _same_start(config: RewardModelConfig, other: Any) -> bool:
    names = ("model", "dataset", "heldout_fraction")
    return all(getattr(config, name) == getattr(other, name, None) for name in names)


def _right(margin: float) -> float:
    return 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _ranks(values: Sequence[float]) -> np.ndarray:
    """Ranks, equal values sharing the mean of theirs."""
    array = np.asarray(values, dtype=np.float64)
    _, place, count = np.unique(array, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
