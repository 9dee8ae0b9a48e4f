"""The settings of GRPO and its descendants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lab.config.rollouts import KL, RolloutConfig


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(RolloutConfig):
    """Group relative policy optimization: each completion against the others of its question."""

    algorithm: ClassVar[str] = "grpo"

    advantage: Literal["standardised", "centred", "batch standardised"] = "standardised"
    """What a completion's reward is measured by: the group's mean and spread (GRPO), its mean alone (Dr. GRPO), or its
    mean and the spread of the whole batch."""
    normalisation: Literal["token", "sequence", "budget", "part"] = "token"
    """What the loss is averaged over: all tokens alike (DAPO), completions alike (GRPO), a constant length (Dr. GRPO),
    or the tokens of each part of a batch by themselves."""
    ratio: Literal["token", "sequence"] = "token"
    """What is compared with the policy that wrote the completion: each token, or the completion as a whole (GSPO)."""
    clip_low: float = 0.2
    """A token that has lost this share of its probability is not pushed down further."""
    clip_high: float = 0.2
    """A token that has gained this share of its probability is not pushed up further. Above clip_low it keeps the
    policy more varied (DAPO)."""
    kl_estimator: KL = "k3 corrected"
    """How the distance to the reference is put into the loss: k2 and the corrected k3 lead to the same place, k3 alone
    follows the distance from the other side."""
    resampling: int = 0
    """Up to how many more times questions are drawn when all completions of some were equally good (DAPO's dynamic
    sampling). 0 takes the step with what there is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(0 < self.clip_low <= 1, "clip_low", "it must be above 0 and at most 1.")
        self._require(self.clip_high > 0, "clip_high", "it must be above 0.")
        self._require(self.resampling >= 0, "resampling", "it must be 0 or more.")


VARIANTS: dict[str, dict[str, Any]] = {
    "GRPO": {"advantage": "standardised", "normalisation": "sequence"},
    "Dr. GRPO": {"advantage": "centred", "normalisation": "budget"},
    "DAPO": {"advantage": "standardised", "normalisation": "token", "clip_high": 0.28, "resampling": 2},
    "GSPO": {"normalisation": "sequence", "ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4},
}
"""The settings in which a paper's algorithm differs from the defaults: DeepSeekMath (arXiv:2402.03300), Liu et al. 2025
(2503.20783), Yu et al. 2025 (2503.14476), Zheng et al. 2025 (2507.18071)."""
