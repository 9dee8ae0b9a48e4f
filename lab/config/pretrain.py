"""The settings of pretraining."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from lab.config.training import OptimizerConfig, TrainingConfig

SMALLEST = 300
"""Tokens of the smallest vocabulary that can be learned: the 256 bytes, control tokens, and some merges."""


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainingConfig):
    """Pretraining: learn to predict the next token of documents, from random weights or from a model."""

    algorithm: ClassVar[str] = "pretrain"
    learns_from: ClassVar[str] = "documents"

    dataset: str = "world:documents"
    """The documents to learn from."""
    model: str = ""
    """A model to go on from. Empty starts from random weights of the shape below."""
    tokenizer: str = "bundled:base"
    """Whose tokenizer to use when starting from random weights."""
    vocabulary: int = 0
    """Tokens of a tokenizer that is learned from the text itself. 0 takes the one above. More makes shorter texts of a
    larger network."""
    hidden_size: int = 128
    """Width of the network: numbers per position."""
    layers: int = 6
    """Number of blocks, one after the other."""
    heads: int = 4
    """Attention heads per block; the width must be a multiple of it."""
    intermediate_size: int = 352
    """Width of the inner layer of each block."""
    context_length: int = 1024
    """Longest text the network has positions for, in tokens."""
    max_steps: int = 500
    """Number of optimizer steps. More learns more of the text."""
    batch_size: int = 16
    """Windows of text per step, each of max_length tokens."""
    max_length: int = 256
    """Tokens per window of text."""
    learning_rate: float = 4e-3
    """Step size of AdamW, which trains embeddings and norms."""
    matrix_learning_rate: float = 0.02
    """Step size of Muon (Jordan et al. 2024), which trains the matrices. 0 gives the matrices to AdamW too."""
    heldout_fraction: float = 0.02
    """Share of the documents kept aside to measure on."""
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(warmup_steps=40, beta2=0.95, schedule="linear")
    )
    """The optimizer and the shape of the learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(self.hidden_size % self.heads == 0, "heads", "the width must be a multiple of it.")
        fits = self.vocabulary == 0 or (self.vocabulary >= SMALLEST and not self.model)
        self._require(fits, "vocabulary", f"it must be 0 or at least {SMALLEST}, and 0 where a model goes on.")
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
