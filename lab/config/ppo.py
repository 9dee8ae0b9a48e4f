"""The settings of PPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lab.config.rollouts import RolloutConfig


@dataclass(frozen=True, kw_only=True)
class PPOConfig(RolloutConfig):
    """Proximal policy optimization: a second network forecasts the reward, and each token is measured by it."""

    algorithm: ClassVar[str] = "ppo"

    group_size: int = 4
    """Completions sampled of each question, at least 2. Each is compared with the forecast, not with the others."""
    epochs: int = 2
    """How often the completions of a step are gone through. More learns more from them, until clipping holds it."""
    minibatches: int = 2
    """Optimizer steps per time through: the completions are shared out among them."""
    clip: float = 0.2
    """A token whose probability has changed by this share is not pushed further. (ε)"""
    value_learning_rate: float = 5e-4
    """Size of a step of the value network. It begins with no forecast at all and has to be quick."""
    value_clip: float = 0.2
    """How far a forecast may move from the one before the step for its error to count."""
    discount: float = 1.0
    """How much a reward is worth one token earlier. Below 1, sooner is better. (γ)"""
    smoothing: float = 0.95
    """How far ahead to look before trusting the forecast: 0 one token, 1 to the end of the completion. (λ)"""
    whiten: bool = True
    """Give the advantages of a step mean 0 and spread 1, so that the size of the rewards does not matter."""
    kl_coefficient: float = 0.02
    """How strongly the policy is held to its reference. 0 lets it go where the reward leads. (β)"""
    kl_in: Literal["reward", "k2", "k3", "k3 corrected"] = "reward"
    """Where the distance to the reference enters: token by token off the reward (k1), or into the loss by one of the
    estimators. All but k3 alone lead towards the same place."""
    kl_target: float = 0.0
    """Distance to the reference, in nats per completion, that β is adapted to keep. 0 leaves β as it is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("clip", "value_clip", "value_learning_rate"):
            self._require(getattr(self, name) > 0, name, "it must be above 0.")
        for name in ("discount", "smoothing"):
            self._require(0 <= getattr(self, name) <= 1, name, "it must be from 0 to 1.")
        self._require(self.kl_target >= 0, "kl_target", "it must be 0 or more.")
