"""The workspace's door to rewards: try one on samples before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.rewards.make import make_reward
from lab.rewards.sample import Reward, Sample, Score


class Rewards:
    """Asks rewards. Reward models are asked in the model process, a person's function in a child of its own."""

    def __init__(self, inference: Callable[[], Any]) -> None:
        self._inference = inference

    def try_on(self, reward: Any, samples: Sequence[Sample | Mapping[str, Any]]) -> list[Score]:
        """What a reward says of samples (each with `prompt`, `completion`, and `answer` where there is one): for each
        its `.value`, or the `.error` of a reward that failed on it.

        Raises `ConfigError` for a reward that cannot be used at all.
        """
        made = make_reward(reward, self._of_model)
        try:
            return made([Sample.of(sample) for sample in samples])
        finally:
            close(made)

    def _of_model(self, reference: str) -> Reward:
        def ask(samples: Sequence[Sample]) -> list[Score]:
            found = self._inference().reward(reference, [sample.conversation for sample in samples])
            return [Score(value) for value in found]

        return ask


def close(reward: Any) -> None:
    """End what a reward has started: the child process of a function."""
    if hasattr(reward, "close"):
        reward.close()
