"""The settings of training a reward model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.config.training import LoRAConfig, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class RewardModelConfig(TrainingConfig):
    """A reward model: learn to give the reply that people prefer the higher number."""

    algorithm: ClassVar[str] = "reward_model"
    learns_from: ClassVar[str] = "preferences"

    model: str = "bundled:sft"
    """The model whose reading of a conversation is used: bundled, the result of a run, a folder, or a Hub id."""
    dataset: str = ""
    """The labels: preference pairs."""
    labels: int = 0
    """Learn from only so many of the labels, to see how accuracy grows with their number. 0 takes all."""
    max_steps: int = 120
    """Number of optimizer steps. A few passes are enough; more learns the labels by heart."""
    learning_rate: float = 5e-4
    """Size of a step. Too small learns nothing in the time; too large forgets what the model could read."""
    eval_every: int = 20
    """Steps between two measurements on held-out labels. 0 measures only at the end."""
    centring: float = 0.01
    """Pulls the rewards of a pair towards a mean of 0, so that rewards of different prompts can be compared. 0 lets
    them drift."""
    heldout_fraction: float = 0.2
    """Share of the labels kept aside to measure on. They are never trained on."""
    lora: LoRAConfig | None = None
    """Train small adapters and the head instead of all weights: less memory, and slower to overfit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(self.labels >= 0, "labels", "it must be 0 (all) or more.")
        self._require(self.centring >= 0, "centring", "it must be 0 or more.")
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
