"""Davidson's model of a comparison with ties, as one penalised likelihood, and score tests on it.

With η the advantage of answer a over answer b in log-odds, and ν how ready people are to call a tie,

    P(a) ∝ e^(η/2)        P(tie) ∝ ν        P(b) ∝ e^(−η/2)                        (Davidson 1970, with η = θ_a − θ_b)

Without ties this is Bradley–Terry, that is logistic regression. η is linear in the parameters: η = X β, where the
columns of X are models (+1 for a, −1 for b) and whatever else may sway a vote (side, length). Shapes: R rows, P
parameters.

Intervals come from turning the score test round: all values of a contrast c·β that the test does not reject. For two
models and no ties that is exactly Wilson's interval, so it is right where a curvature at the maximum is useless: with
ten wins out of ten it has a lower end and no upper one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""
TIE_PENALTY = 0.01
"""Weight of (log ν)², which keeps ν finite when every vote is a tie."""
FAR = 40.0
"""Log-odds beyond which an end of an interval counts as infinite."""


@dataclass(frozen=True)
class Comparisons:
    """Rows of comparisons: `design` (R, P), `offset` (R,) added to η, and how often a won, nobody won, b won (R,)."""

    design: Array
    wins: Array
    ties: Array
    losses: Array
    offset: Array | float = 0.0

    @cached_property
    def n(self) -> Array:
        """Votes in each row, (R,)."""
        return self.wins + self.ties + self.losses

    @cached_property
    def lead(self) -> Array:
        """Half of wins minus losses, (R,): what the data say about η."""
        return (self.wins - self.losses) / 2

    @cached_property
    def tied(self) -> float:
        """All ties together: what the data say about ν."""
        return float(self.ties.sum())

    @property
    def has_ties(self) -> bool:
        """Whether ν has to be estimated."""
        return self.tied > 0


@dataclass(frozen=True)
class Fit:
    """`beta` (P,) and `log_nu` at the maximum (−inf without ties); `information` (P+1, P+1) of the likelihood alone at
    that point, the last row for log ν; `score` (P+1,) its gradient; `log_likelihood` without the penalty."""

    beta: Array
    log_nu: float
    information: Array
    score: Array
    log_likelihood: float


def fit(data: Comparisons, penalty: Array | float = 0.0) -> Fit:
    """Maximise log-likelihood − Σ penalty·β² − TIE_PENALTY·(log ν)². Newton's method with halved steps."""
    size = data.design.shape[1]
    free = size + (1 if data.has_ties else 0)
    weight = np.append(np.broadcast_to(np.asarray(penalty, dtype=float), size), TIE_PENALTY)[:free]
    point = np.zeros(size + 1)
    if free == size:
        point[size] = -math.inf
    value, score, information = _derivatives(data, point)
    best = value - weight @ point[:free] ** 2
    for _ in range(200):
        slope = score[:free] - 2 * weight * point[:free]
        if np.abs(slope).max(initial=0.0) < 1e-9 * max(1.0, np.abs(score).max()):
            break
        step = _solve(information[:free, :free] + np.diag(2 * weight), slope)
        step *= min(1.0, 8.0 / max(np.abs(step).max(), 1e-300))
        while True:
            candidate = point.copy()
            candidate[:free] += step
            value, score, information = _derivatives(data, candidate)
            objective = value - weight @ candidate[:free] ** 2
            if objective >= best - 1e-13 * abs(best) or np.abs(step).max() < 1e-14:
                break
            step /= 2
        point, best = candidate, objective
        if np.abs(step).max() < 1e-13:
            break
    return Fit(point[:size], float(point[size]), information, score, value)


def probabilities(eta: Array, log_nu: float) -> tuple[Array, Array, Array]:
    """P(a), P(tie), P(b) at each η."""
    win, tie, loss, _ = _chances(eta, log_nu)
    return win, tie, loss


def _chances(eta: Array, log_nu: float) -> tuple[Array, Array, Array, Array]:
    """P(a), P(tie), P(b), and the logarithm of what they were divided by."""
    half = eta / 2
    top = np.maximum(np.abs(half), log_nu)
    win, tie, loss = np.exp(half - top), np.exp(log_nu - top), np.exp(-half - top)
    total = win + tie + loss
    return win / total, tie / total, loss / total, top + np.log(total)


def _derivatives(data: Comparisons, point: Array) -> tuple[float, Array, Array]:
    """Log-likelihood, its gradient (P+1,) and its information (P+1, P+1) in (β, log ν)."""
    log_nu, design, n = float(point[-1]), data.design, data.n
    eta = design @ point[:-1] + data.offset
    win, tie, loss, log_total = _chances(eta, log_nu)
    value = float((data.lead * eta - n * log_total).sum())
    if data.has_ties:
        value += data.tied * log_nu if math.isfinite(log_nu) else -math.inf
    size = design.shape[1]
    half, expected_ties = n * (win - loss) / 2, n * tie
    score, information = np.empty(size + 1), np.empty((size + 1, size + 1))
    score[:size], score[size] = (data.lead - half) @ design, data.tied - expected_ties.sum()
    curve = n * (win + loss) / 4 - half * (win - loss) / 2
    information[:size, :size] = (design * curve[:, None]).T @ design
    information[size, :size] = information[:size, size] = -(half * tie) @ design
    information[size, size] = (expected_ties * (1 - tie)).sum()
    return value, score, information


def score_test(data: Comparisons, contrast: Array, value: float, penalty: Array | float = 0.0) -> float:
    """Signed root of the score statistic for contrast·β = value: standard normal when that is true, positive when the
    data ask for more. What is not asked about is estimated with the penalty, and its estimation is corrected for
    (Neyman's C(α)), so the penalty, which keeps it finite, does not move the answer."""
    along = contrast / (contrast @ contrast)
    free = _orthogonal_to(contrast)
    weight = np.broadcast_to(np.asarray(penalty, dtype=float), contrast.shape)
    nuisance = free.T @ (weight[:, None] * free)
    turned = Comparisons(
        data.design @ free, data.wins, data.ties, data.losses, data.offset + data.design @ along * value
    )
    rest = fit(turned, np.diag(nuisance))
    beta = along * value + free @ rest.beta
    _, score, information = _derivatives(data, np.append(beta, rest.log_nu))
    axes = np.zeros((len(contrast) + 1, free.shape[1] + (1 if data.has_ties else 0)))
    axes[:-1, : free.shape[1]] = free
    axes[-1, free.shape[1] :] = 1.0
    direction = np.append(along, 0.0)
    inside = axes.T @ information @ axes + np.diag(2 * np.append(np.diag(nuisance), TIE_PENALTY)[: axes.shape[1]])
    adjusted = direction - axes @ _solve(inside, axes.T @ information @ direction)
    spread = adjusted @ information @ adjusted
    return float(adjusted @ score / math.sqrt(spread)) if spread > 1e-12 else 0.0


def _solve(matrix: Array, right: Array) -> Array:
    """The solution, or the shortest one where the matrix is singular."""
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(matrix, right, rcond=None)[0]


def _orthogonal_to(contrast: Array) -> Array:
    """Orthonormal columns that span what the contrast does not: (P, P−1)."""
    whole = np.linalg.svd(contrast[None, :])[2]
    return whole[1:].T


def solve_interval(statistic: Callable[[float], float], start: float, z: float = Z95) -> tuple[float, float]:
    """The ends of {value: |statistic(value)| ≤ z}; −inf or inf where the test never rejects. `statistic` falls, and
    does not reject at `start`."""
    from scipy.optimize import brentq

    def end(sign: float) -> float:
        def room(value: float) -> float:
            return z + sign * statistic(value)

        if math.isinf(z):
            return sign * math.inf
        inner, reach = start, 1.0
        while abs(outer := start + sign * reach) <= FAR:
            if room(outer) < 0:
                return float(brentq(room, inner, outer, xtol=1e-7, rtol=1e-9)) if room(inner) > 0 else inner
            inner, reach = outer, reach * 2
        return sign * math.inf

    return end(-1.0), end(+1.0)
