"""How often one model's answer is preferred over another's, with an interval that is right at ten votes.

The rate counts a win 1 and a vote that neither won ½. Its interval turns round the score test of a mean of such
votes: every rate μ with (observed − μ)² ≤ z² · variance(μ) / n, the variance being that of the most likely shares of
wins, ties and losses with mean μ. Without ties this is Wilson's interval; ties make it as much narrower as they should.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.arena.davidson import Z95
from lab.arena.votes import Tally, as_votes, tally


@dataclass(frozen=True)
class WinRate:
    """How often `a` is preferred over `b`: rate and 95 % interval in 0…1, and the votes behind it."""

    a: str
    b: str
    rate: float
    low: float
    high: float
    counts: Tally

    @property
    def n(self) -> int:
        """Votes behind the rate."""
        return int(self.counts.n)

    @property
    def decided(self) -> bool:
        """Whether the interval leaves ½."""
        return self.n > 0 and not self.low <= 0.5 <= self.high

    @property
    def sentence(self) -> str:
        """The rate in words."""
        if not self.n:
            return f"Nobody has voted between {self.a} and {self.b} yet."
        return (
            f"{self.a} is preferred over {self.b} in {self.rate:.0%} of {self.n} votes "
            f"(95 % interval {self.low:.0%} to {self.high:.0%})."
        )


def win_rate(votes: Iterable[Sequence], a: str, b: str) -> WinRate:
    """How often `a` is preferred over `b`. Votes are `(model_a, model_b, outcome)`, each counted as independent of the
    others; those between other models are passed over. Without any vote the rate is NaN and the interval 0 to 1."""
    counts = tally(as_votes(votes), a, b)
    low, high = rate_interval(counts)
    return WinRate(a, b, counts.rate, low, high, counts)


def rate_interval(counts: Tally, z: float = Z95) -> tuple[float, float]:
    """The interval of `counts.rate` (see the top of this file)."""
    if not counts.n:
        return 0.0, 1.0

    def accepted(rate: float) -> bool:
        return (counts.rate - rate) ** 2 * counts.n <= z * z * _variance(counts, rate)

    def end(inner: float, outer: float) -> float:
        if accepted(outer):
            return outer
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if accepted(middle) else (inner, middle)
        return inner

    return end(counts.rate, 0.0), end(counts.rate, 1.0)


def _variance(counts: Tally, rate: float) -> float:
    """Variance of one vote under the most likely shares of wins, ties and losses whose mean is `rate`.

    With t the share of ties, wins are rate − t/2 and losses 1 − rate − t/2. The likelihood is stationary where
    T/t = ½ W/wins + ½ L/losses, a quadratic in t.
    """
    if rate <= 0 or rate >= 1:
        return 0.0
    ties = 0.0
    if counts.even:
        # T (2r − t)(2s − t) = t (W (2s − t) + L (2r − t)) with r = rate, s = 1 − rate
        r, s = 2 * rate, 2 * (1 - rate)
        square, linear, constant = (
            counts.n,
            -(counts.even * 2 + counts.wins * s + counts.losses * r),
            counts.even * r * s,
        )
        root = math.sqrt(max(0.0, linear * linear - 4 * square * constant))
        ties = min(2 * constant / (-linear + root), r, s)
    return rate * (1 - rate) - ties / 4


# --- how many more --------------------------------------------------------------------------------------------------

MANY = 1_000_000


def more_votes(counts: Tally) -> int | None:
    """How many more votes of the same kind until the interval of the rate leaves ½: 0 when it has, None when no number
    is in sight (an even score, or more than a million)."""
    if not counts.n or counts.rate == 0.5:
        return None

    def leaves(total: int) -> bool:
        low, high = rate_interval(counts.times(total / counts.n))
        return not low <= 0.5 <= high

    if leaves(int(counts.n)):
        return 0
    few, many = int(counts.n), max(2, int(counts.n))
    while not leaves(many):
        few, many = many, many * 2
        if many > MANY:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if leaves(middle) else (middle, many)
    return many - int(counts.n)


def more_votes_sentence(rate: WinRate) -> str:
    """`more_votes` in words."""
    needed = more_votes(rate.counts)
    if not rate.n:
        return "Vote a few times first: then it can be said how many votes it takes."
    if needed == 0:
        return f"The interval has left 50 %: {rate.a if rate.rate > 0.5 else rate.b} is ahead."
    if needed is None:
        return "So far it is even, or so close that no sensible number of votes would tell the two apart."
    return f"If it goes on like this, about {needed:,} more votes until the interval leaves 50 %."


def votes_to_see(share: float, power: float = 0.8) -> int:
    """Votes after which a true share (0.55: one side wins 55 %) is found different from ½ at the 5 % level with this
    power: 783 for 55 %, 194 for 60 %, 85 for 65 %."""
    from statistics import NormalDist

    at_null, at_share = Z95 * 0.5, NormalDist().inv_cdf(power) * math.sqrt(share * (1 - share))
    return math.ceil(((at_null + at_share) / (share - 0.5)) ** 2)
