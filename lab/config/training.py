"""The settings that every training algorithm has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from lab.config.base import Config


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Config):
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) and the shape of its learning rate over the run."""

    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate falls to its end: not at all, along a line, or along half a cosine."""
    final: float = 0.0
    """Share of the learning rate that is left at the last step. More than 0 leaves the model ready to be trained on."""
    warmup_steps: int = 10
    """Steps over which the learning rate climbs from 0. More is calmer at the start."""
    weight_decay: float = 0.0
    """Pulls weights towards 0 at every step. More keeps them smaller."""
    beta1: float = 0.9
    """Memory of the average gradient. Higher is smoother and slower to turn. (β₁)"""
    beta2: float = 0.999
    """Memory of the average squared gradient. Lower adapts faster. (β₂)"""
    max_grad_norm: float = 1.0
    """Gradients longer than this are scaled down to it, so that one bad batch cannot throw the model off."""

    def __post_init__(self) -> None:
        self._require(0 <= self.final <= 1, "final", "it must be from 0 to 1.")
        self._require(self.warmup_steps >= 0, "warmup_steps", "it must be 0 or more.")
        self._require(self.max_grad_norm > 0, "max_grad_norm", "it must be above 0.")
        for name in ("beta1", "beta2"):
            self._require(0 <= getattr(self, name) < 1, name, "it must be at least 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class LoRAConfig(Config):
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): train two thin matrices beside each frozen one."""

    r: int = 8
    """Rank of the adapters: how many directions each matrix may change in. More can learn more and overfits sooner."""
    alpha: float = 16.0
    """The change is scaled by α / r. More makes every step of the adapter count more. (α)"""
    dropout: float = 0.0
    """Share of the adapter's inputs set to 0 while training. More guards against overfitting on few examples."""
    target_modules: tuple[str, ...] = ()
    """Names of the matrices to adapt. Empty means all linear layers but the head."""
    quantize: Literal["no", "4bit"] = "no"
    """Hold the frozen weights in 4 bits (QLoRA, Dettmers et al. 2023, arXiv:2305.14314): a quarter of the memory, a
    little less exact. Needs an NVIDIA GPU and the extra nudge[qlora]."""

    def __post_init__(self) -> None:
        self._require(self.r >= 1, "r", "the rank must be at least 1.")
        self._require(0 <= self.dropout < 1, "dropout", "it must be at least 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """What every training algorithm has in common."""

    algorithm: ClassVar[str] = ""
    """Name of the page in lab/algorithms that these settings are for."""
    learns_from: ClassVar[str] = ""
    """The kind of data set it takes: documents, conversations, preferences or problems."""

    max_steps: int = 100
    """Number of optimizer steps. More learns more of the data, and in the end by heart."""
    batch_size: int = 16
    """Examples per step. More gives calmer steps, each of which takes longer."""
    gradient_accumulation: int = 1
    """Parts a batch is cut into, one after the other: less memory, the same step."""
    learning_rate: float = 2.5e-4
    """Size of a step. Too small learns nothing in the time; too large forgets what the model knew."""
    max_length: int = 512
    """Longest example in tokens; what goes beyond is cut off."""
    seed: int = 0
    """Fixes the order of the data and every other chance in the run: the same seed gives the same run."""
    eval_every: int = 10
    """Steps between two measurements on held-out data. 0 measures only at the end."""
    sample_every: int = 20
    """Steps between two looks at what the model now answers to the fixed prompts. 0 never looks."""
    checkpoint_every: int = 50
    """Steps between two checkpoints, from which a run can be continued. 0 keeps only the last."""
    sample_prompts: tuple[str, ...] = ()
    """Prompts answered again and again while training, to see the change. Empty takes some from the held-out data."""
    processes: int = 1
    """Number of training processes (one per GPU). Several are started with accelerate."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train. Auto takes a GPU when there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers that the network calculates with; the weights stay float32. bfloat16 is faster and coarser. Auto takes it
    on GPUs that are fast at it, and float32 on processors, few of which gain from it."""
    gradient_checkpointing: bool = False
    """Keep only what enters each layer and work the rest out again on the way back: much less memory for long texts,
    about a third slower, the same numbers."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """The optimizer and the shape of the learning rate."""

    def smaller(self) -> Self | None:
        """The same steps for less memory: each batch in twice as many parts; when a part is one example, keeping less.
        None when neither is left to do."""
        most = self.batch_size // self.processes
        if self.gradient_accumulation < most:
            return self.replace(gradient_accumulation=min(2 * self.gradient_accumulation, most))
        return None if self.gradient_checkpointing else self.replace(gradient_checkpointing=True)

    def __post_init__(self) -> None:
        self._require(self.max_steps >= 1, "max_steps", "a run needs at least 1 step.")
        self._require(self.batch_size >= 1, "batch_size", "a batch needs at least 1 example.")
        self._require(
            1 <= self.gradient_accumulation <= self.batch_size,
            "gradient_accumulation",
            "it must be at least 1 and at most the batch size.",
        )
        self._require(self.learning_rate > 0, "learning_rate", "it must be above 0.")
        self._require(self.max_length >= 8, "max_length", "it must be at least 8 tokens.")
        self._require(self.processes >= 1, "processes", "at least 1 process is needed.")
        for name in ("eval_every", "sample_every", "checkpoint_every"):
            self._require(getattr(self, name) >= 0, name, "it must be 0 or more.")
