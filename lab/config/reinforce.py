"""The settings of REINFORCE and RLOO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lab.config.rollouts import RolloutConfig


@dataclass(frozen=True, kw_only=True)
class ReinforceConfig(RolloutConfig):
    """REINFORCE: make each completion more probable by as much as it was better than a baseline."""

    algorithm: ClassVar[str] = "reinforce"

    baseline: Literal["leave one out", "batch", "none"] = "leave one out"
    """What a completion has to be better than: the mean of the others of its question (RLOO), the mean of all others of
    the step, or 0."""
    clip_low: float = 0.2
    """A completion that has lost this share of its probability is not pushed down further."""
    clip_high: float = 0.2
    """A completion that has gained this share of its probability is not pushed up further."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(0 < self.clip_low <= 1, "clip_low", "it must be above 0 and at most 1.")
        self._require(self.clip_high > 0, "clip_high", "it must be above 0.")
