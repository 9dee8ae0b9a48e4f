"""Rewards from how the settings name them.

"exact_answer"                     1 for the right final answer of a completion that has ended, else 0
"ends"                             1 for a completion that ends by itself, else 0
"length:30"                        1 for at most 30 words, falling to 0 at 60
"matches:<regex>", "contains:<regex>"
"gold"                             the small world's own score
"run:<id>", "bundled:<name>"       a reward model
"def reward(prompt, completion, answer): …"
[["exact_answer", 1.0], ["length:30", 0.2]]       a sum with weights
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lab import checks
from lab.errors import ConfigError
from lab.rewards.function import FunctionReward
from lab.rewards.gold import gold
from lab.rewards.sample import Reward, Sample, Score

ModelReward = Callable[[str], Reward]
"""Gives the reward of a reward model from its reference."""

_MODEL = re.compile(r"(?:run|bundled):\S+")
_SOURCE = re.compile(r"^\s*def\s+reward\s*\(", re.MULTILINE)


def make_reward(spec: Any, model_reward: ModelReward | None = None) -> Reward:
    """The reward that a `reward` setting names. `model_reward` is asked for the reward models in it.

    Raises `ConfigError` for a name that no reward has.
    """
    if isinstance(spec, (list, tuple)):
        return WeightedSum([(name, weight, make_reward(name, model_reward)) for name, weight in weighted(spec)])
    if not isinstance(spec, str) or not spec.strip():
        raise ConfigError(f"The reward is {spec!r}: it needs a name, a reward model, or Python source.", "reward")
    if is_source(spec):
        return FunctionReward(spec)
    if _MODEL.fullmatch(spec):
        if model_reward is None:
            raise ConfigError(f"The reward model {spec} cannot be asked here.", "reward")
        return model_reward(spec)
    return partial(_each, _check(spec))


def weighted(spec: Any) -> list[tuple[str, float]]:
    """The (reward, weight) pairs of a setting. Raises `ConfigError` when it is not a list of such pairs."""
    try:
        pairs = [(name, float(weight)) for name, weight in spec]
    except (TypeError, ValueError) as error:
        raise ConfigError("A sum of rewards is a list of pairs: [name, weight].", "reward") from error
    if not pairs or not all(isinstance(name, str) for name, _ in pairs):
        raise ConfigError("A sum of rewards needs at least one pair: [name, weight].", "reward")
    return pairs


def model_references(spec: Any) -> list[str]:
    """The reward models that a `reward` setting names."""
    names = [spec] if isinstance(spec, str) else [name for name, _ in weighted(spec)]
    return [name for name in names if _MODEL.fullmatch(name)]


def is_source(spec: Any) -> bool:
    """Whether a reward is given as Python source: that is the owner's to run."""
    return isinstance(spec, str) and _SOURCE.search(spec) is not None


def title(spec: Any) -> str:
    """What a reward is called in a sentence."""
    if isinstance(spec, str):
        return "your function" if is_source(spec) else spec
    return " + ".join(f"{weight:g} × {title(name)}" for name, weight in weighted(spec))


class WeightedSum:
    """Rewards added up. A sample on which one of them fails has no value."""

    def __init__(self, terms: Sequence[tuple[str, float, Reward]]) -> None:
        self._terms = terms

    def __call__(self, samples: Sequence[Sample]) -> list[Score]:
        columns = [reward(samples) for _, _, reward in self._terms]
        names = [title(name) for name, _, _ in self._terms]
        return [self._sum(names, scores) for scores in zip(*columns, strict=True)]

    def close(self) -> None:
        """End what its rewards have started."""
        for _, _, reward in self._terms:
            if hasattr(reward, "close"):
                reward.close()

    def _sum(self, names: Sequence[str], scores: Sequence[Score]) -> Score:
        value = math.fsum(weight * score.value for (_, weight, _), score in zip(self._terms, scores))
        error = next((score.error for score in scores if score.error), "")
        return Score(value, error, {name: score.value for name, score in zip(names, scores)})


def _check(spec: str) -> Callable[[Sample], float]:
    name, _, argument = spec.partition(":")
    if name == "exact_answer" and not argument:
        return lambda sample: float(sample.ended) * checks.exact_answer(sample.completion, sample.answer)
    if name == "ends" and not argument:
        return lambda sample: float(sample.ended)
    if name == "gold" and not argument:
        return gold
    if name == "length" and argument.isdigit() and int(argument):
        return lambda sample: checks.length_within(sample.completion, int(argument))
    if name in ("matches", "contains") and argument:
        return _pattern(getattr(checks, name), argument)
    raise ConfigError(
        f"There is no reward {spec!r}. There are: exact_answer, ends, length:<words>, matches:<regex>, "
        "contains:<regex>, gold, run:<id> of a reward model, and Python source that defines `reward`.",
        "reward",
    )


def _pattern(check: Callable[[str, str], float], pattern: str) -> Callable[[Sample], float]:
    try:
        check("", pattern)
    except re.error as error:
        raise ConfigError(f"{pattern!r} is no regular expression: {error}.", "reward") from error
    return lambda sample: check(sample.completion, pattern)


def _each(check: Callable[[Sample], float], samples: Sequence[Sample]) -> list[Score]:
    return [Score(check(sample)) for sample in samples]
