"""The settings of supervised fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.config.training import LoRAConfig, TrainingConfig


@dataclass(frozen=True, kw_only=True)
class SFTConfig(TrainingConfig):
    """Supervised fine-tuning: learn to answer as the assistant does in example conversations."""

    algorithm: ClassVar[str] = "sft"
    learns_from: ClassVar[str] = "conversations"

    model: str = "bundled:base"
    """The model to start from: bundled, the result of a run, a folder, or a Hub id."""
    dataset: str = ""
    """The conversations to learn from."""
    heldout_fraction: float = 0.1
    """Share of the conversations kept aside to measure on. They are never trained on."""
    chat_template: str = ""
    """How a conversation is written as text. Empty takes the model's own, or plain words where it has none; `chatml`
    takes ChatML and adds its two control tokens; anything else is read as a Jinja template."""
    new_tokens: tuple[str, ...] = ()
    """Control tokens to add to the vocabulary. With LoRA, their rows are trained beside the adapters."""
    lora: LoRAConfig | None = None
    """Train small adapters instead of all weights: less memory, and the base stays as it is underneath."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
