"""The settings of direct preference optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lab.config.training import LoRAConfig, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class DPOConfig(TrainingConfig):
    """Direct preference optimisation: make preferred replies more probable than rejected ones, without a reward model
    and without sampling."""

    algorithm: ClassVar[str] = "dpo"
    learns_from: ClassVar[str] = "preferences"

    model: str = "bundled:sft"
    """The model to start from, which is also the reference that it is held to."""
    dataset: str = ""
    """The preference pairs to learn from."""
    variant: Literal["dpo", "ipo", "length_normalised"] = "dpo"
    """DPO; IPO, which aims at a fixed margin and overfits less on few labels; or DPO on log-probabilities per token,
    so that a reply gains nothing by being long."""
    beta: float = 0.1
    """How strongly the model is held to the reference. More changes it less. (β)"""
    learning_rate: float = 5e-5
    """Size of a step. Too large makes both replies improbable and the text falls apart."""
    heldout_fraction: float = 0.1
    """Share of the pairs kept aside to measure on. They are never trained on."""
    lora: LoRAConfig | None = None
    """Train small adapters instead of all weights: less memory, and the base stays as it is underneath."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(self.beta > 0, "beta", "it must be above 0.")
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
