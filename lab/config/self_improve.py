"""The settings of self-improvement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from lab.config.training import LoRAConfig, OptimizerConfig, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class SelfImproveConfig(TrainingConfig):
    """Self-improvement: a model answers questions many times, and learns from the answers it mostly agrees on."""

    algorithm: ClassVar[str] = "self_improve"
    learns_from: ClassVar[str] = "problems"

    model: str = "bundled:sft"
    """The model that answers, votes and learns: bundled, the result of a run, a folder, or a Hub id."""
    dataset: str = "world:word_problems:4"
    """The problems whose questions are asked. Their answers are not looked at."""
    questions: int = 64
    """Questions that are answered and voted on."""
    samples: int = 16
    """Answers to each question. More make a surer majority."""
    agreement: float = 0.0
    """Share of the votes that a majority needs for its answers to be learned from. More keeps fewer and surer ones."""
    mixed: bool = False
    """Learn each answer in four forms, as the paper does: worked and direct, with an example before it and without.
    Off learns them as they were written."""
    max_new_tokens: int = 80
    """Longest answer in tokens; one that is cut off there has no vote."""
    max_steps: int = 40
    """Number of optimizer steps on what was kept."""
    heldout_fraction: float = 0.2
    """Share of the problems kept aside to measure on. They are never asked in training."""
    heldout_problems: int = 100
    """Problems measured on at most; more gives a narrower interval and takes longer."""
    eval_every: int = 10
    """Steps between two measurements on held-out problems. 0 measures only at the end."""
    lora: LoRAConfig | None = None
    """Train small adapters instead of all weights: less memory, and the base stays as it is underneath."""
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(warmup_steps=4))
    """The optimizer and the shape of the learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(self.questions >= 1, "questions", "it must be at least 1.")
        self._require(self.samples >= 2, "samples", "a vote needs at least 2 answers.")
        self._require(0 <= self.agreement <= 1, "agreement", "it must be from 0 to 1.")
        self._require(self.max_new_tokens >= 1, "max_new_tokens", "it must be at least 1.")
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
        self._require(self.heldout_problems >= 1, "heldout_problems", "it must be at least 1.")
