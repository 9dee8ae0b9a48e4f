"""One choice of a next token taken apart: the bars after temperature, top-k, top-p and min-p, in this order, and the
coin that falls on them. The same arithmetic as `lab/sampling.py`, on numpy, so that the app can move the bars without
asking the model again. Shapes: `V` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lab.chance import Key, prompt_key, uniform
from lab.config import SamplingConfig


@dataclass(frozen=True)
class NextToken:
    """What the model says may come next, and where in which text that is."""

    logprobs_V: np.ndarray
    """log p of every token of the vocabulary, raw (temperature 1, nothing dropped)."""
    prompt_ids: tuple[int, ...]
    """What the model read first; the coin depends on it."""
    position: int = 0
    """Tokens already written after the prompt."""
    texts: dict[int, str] | None = None
    """The texts of the most probable tokens."""

    def coin(self, seed: int) -> float:
        """The uniform number that will pick here: the one `Inference.stream` uses."""
        return uniform(seed, Key(prompt_key(self.prompt_ids)), self.position)

    def order(self, count: int) -> list[int]:
        """The most probable tokens, the first choice first."""
        return np.argsort(-self.logprobs_V, kind="stable")[:count].tolist()


class Stage(NamedTuple):
    """The bars after one step."""

    name: str
    shares_V: np.ndarray
    """Probabilities; 0 for what has been dropped."""
    left: int
    """Tokens that can still come."""


class Fall(NamedTuple):
    """Where the coin falls: on this token, whose share goes from `start` to `end` when all lie side by side by id."""

    id: int
    start: float
    end: float


def stages(logprobs_V: np.ndarray, sampling: SamplingConfig) -> list[Stage]:
    """The bars at first and after each step that does something; the last are those the coin falls on."""
    raw = np.exp(logprobs_V.astype(np.float64))
    found = [_stage("model", raw)]
    if sampling.temperature == 0:
        return [*found, _stage("temperature 0", np.eye(1, len(raw), int(logprobs_V.argmax()))[0])]
    weights = np.exp((logprobs_V.astype(np.float64) - logprobs_V.max()) / sampling.temperature)
    if sampling.temperature != 1:
        found.append(_stage("temperature", weights))
    if 0 < sampling.top_k < len(weights):
        weights = np.where(weights < np.partition(weights, -sampling.top_k)[-sampling.top_k], 0, weights)
        found.append(_stage("top-k", weights))
    if sampling.top_p < 1:
        largest = np.sort(weights)[::-1]
        reached = int((largest.cumsum() >= sampling.top_p * weights.sum()).argmax())
        weights = np.where(weights < largest[reached], 0, weights)
        found.append(_stage("top-p", weights))
    if sampling.min_p > 0:
        weights = np.where(weights < sampling.min_p * weights.max(), 0, weights)
        found.append(_stage("min-p", weights))
    return found


def fall(shares_V: np.ndarray, coin: float) -> Fall:
    """The token on which the coin falls (inverse CDF in order of id)."""
    ends = shares_V.cumsum()
    place = min(coin * ends[-1], np.nextafter(ends[-1], 0))
    id = int(ends.searchsorted(place, side="right"))
    return Fall(id, float((ends[id] - shares_V[id]) / ends[-1]), float(ends[id] / ends[-1]))


def _stage(name: str, weights: np.ndarray) -> Stage:
    return Stage(name, weights / weights.sum(), int((weights > 0).sum()))
