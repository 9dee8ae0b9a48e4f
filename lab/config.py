"""The settings of every algorithm, as frozen dataclasses.

The string under a field is the field's documentation: the form of the app shows it as help, so it says what more and
less of the setting do. Everything here is plain data: it goes to JSON and back without loss, and an unknown key is an
error, so that a setting is never silently ignored.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import types
import typing
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, Self

from lab.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all settings: JSON round trip and documentation of the fields."""

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values (nested settings as nested objects)."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The settings from `to_json()`'s values. Raises `ConfigError` for an unknown key or a wrong type."""
        hints = typing.get_type_hints(cls)
        known = {f.name for f in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"{cls.__name__} has no setting {key!r}. It has: {', '.join(sorted(known))}.", key)
        return cls(**{key: _convert(value, hints[key], f"{cls.__name__}.{key}") for key, value in values.items()})

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def help(cls) -> dict[str, str]:
        """The documentation string under each field, by field name, inherited fields included."""
        found: dict[str, str] = {}
        for ancestor in reversed(cls.__mro__):
            if dataclasses.is_dataclass(ancestor):
                found |= _field_documentation(ancestor)
        return found

    def _require(self, condition: bool, name: str, message: str) -> None:
        if not condition:
            raise ConfigError(f"{name} is {getattr(self, name)!r}: {message}", name)


@cache
def _field_documentation(cls: type) -> dict[str, str]:
    body = typing.cast(ast.ClassDef, ast.parse(inspect.getsource(cls)).body[0]).body
    return {
        typing.cast(ast.Name, here.target).id: " ".join(after.value.value.split())
        for here, after in itertools.pairwise(body)
        if isinstance(here, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`: settings from objects, tuples from lists, whole floats to int and int to float."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(value, next(a for a in arguments if a is not type(None)), where)
    if origin is Literal:
        if value in arguments:
            return value
        raise ConfigError(f"{where} is {value!r}; it must be one of {', '.join(map(str, arguments))}.")
    if origin is tuple:
        if isinstance(value, (list, tuple)):
            inner = arguments[0] if arguments else Any
            return tuple(_convert(item, inner, where) for item in value)
    elif inspect.isclass(hint) and issubclass(hint, Config):
        if isinstance(value, hint):
            return value
        if isinstance(value, dict):
            return hint.from_json(value)
    elif hint is Any:
        return value
    elif hint is bool or hint is str:
        if isinstance(value, hint):
            return value
    elif hint is int and not isinstance(value, bool):
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return int(value)
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ConfigError(f"{where} is {value!r}, which is not {getattr(hint, '__name__', hint)}.")


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Config):
    """How the next token is chosen from the model's probabilities, and when to end."""

    temperature: float = 0.8
    """0 always takes the most probable token; 1 samples the model's own distribution; higher is more surprising."""
    top_k: int = 0
    """Keep only the k most probable tokens. 0 keeps all."""
    top_p: float = 1.0
    """Keep the smallest set of tokens whose probabilities add up to p. 1 keeps all."""
    min_p: float = 0.0
    """Drop tokens less probable than this share of the most probable one. 0 drops none."""
    max_new_tokens: int = 128
    """Stop after this many tokens."""
    seed: int = 0
    """The same seed, prompt and model give the same text again."""
    stop: tuple[str, ...] = ()
    """Stop when one of these texts has been written."""

    def __post_init__(self) -> None:
        self._require(self.temperature >= 0, "temperature", "it must be 0 or more.")
        self._require(self.top_k >= 0, "top_k", "it must be 0 (keep all) or more.")
        self._require(0 < self.top_p <= 1, "top_p", "it must be above 0 and at most 1.")
        self._require(0 <= self.min_p < 1, "min_p", "it must be at least 0 and below 1.")
        self._require(self.max_new_tokens >= 1, "max_new_tokens", "it must be at least 1.")


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

    def __post_init__(self) -> None:
        self._require(self.r >= 1, "r", "the rank must be at least 1.")
        self._require(0 <= self.dropout < 1, "dropout", "it must be at least 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """What every training algorithm has in common."""

    algorithm: ClassVar[str] = ""
    """Name of the page in lab/algorithms that these settings are for."""

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
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """The optimizer and the shape of the learning rate."""

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


@dataclass(frozen=True, kw_only=True)
class SFTConfig(TrainingConfig):
    """Supervised fine-tuning: learn to answer as the assistant does in example conversations."""

    algorithm: ClassVar[str] = "sft"

    model: str = "bundled:base"
    """The model to start from: bundled, the result of a run, a folder, or a Hub id."""
    dataset: str = ""
    """The conversations to learn from."""
    heldout_fraction: float = 0.1
    """Share of the conversations kept aside to measure on. They are never trained on."""
    lora: LoRAConfig | None = None
    """Train small adapters instead of all weights: less memory, and the base stays as it is underneath."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainingConfig):
    """Pretraining: learn to predict the next token of documents, from random weights or from a model."""

    algorithm: ClassVar[str] = "pretrain"

    dataset: str = "world:documents"
    """The documents to learn from."""
    model: str = ""
    """A model to go on from. Empty starts from random weights of the shape below."""
    tokenizer: str = "bundled:base"
    """Whose tokenizer to use when starting from random weights."""
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
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")


ALGORITHMS: dict[str, type[TrainingConfig]] = {cls.algorithm: cls for cls in (PretrainConfig, SFTConfig)}
"""The settings class of each algorithm, by its name."""


def config_from_json(algorithm: str, values: dict[str, Any]) -> TrainingConfig:
    """The settings of a run from its `config.json`. Raises `ConfigError` for an unknown algorithm, key or value."""
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"There is no algorithm {algorithm!r}. There are: {', '.join(ALGORITHMS)}.")
    return ALGORITHMS[algorithm].from_json(values)
