"""What a fine-tuning will need on this machine, before it starts: memory, time, and which settings would fit.

Arithmetic on the shape of the network; nothing is loaded. Weights, gradients and AdamW's two averages are counted
exactly. What a step keeps on the way forward is counted from the sizes of the matrices, times a factor for each way of
calculating that was measured with real runs (`tests/bench/estimate.py`). Time comes from the machine's own rates of
matrix products and of passes over memory (`lab/machine.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import model_folder
from lab.config import LoRAConfig, SFTConfig
from lab.machine import Machine

PROCESS = 400 << 20
"""Bytes of a training process that has loaded everything but a model."""
SHARE = 0.9
"""Of the free memory, how much a run may count on."""
OURS = ("llama",)


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: `width` of its states, `inner` of its inner layers (`gates`: how many matrices lead into
    them), `queries` and `keys` of attention, all in numbers per token."""

    parameters: int
    layers: int
    width: int
    inner: int
    queries: int
    keys: int
    vocab: int
    gates: int
    ours: bool

    @classmethod
    def of(cls, folder: Path) -> Shape:
        """The shape of the model in a folder; of an adapter, that of the model it stands on. Raises `ModelError`."""
        parameters = model_folder.weights(folder).parameters
        while model_folder.is_adapter(folder):
            folder = Path(model_folder.adapter_base(folder))
            parameters += model_folder.weights(folder).parameters
        config = model_folder.read_json(folder / "config.json")
        config |= config.get("text_config") or {}

        def first(*names: str, default: int = 0) -> int:
            return next((int(config[name]) for name in names if isinstance(config.get(name), (int, float))), default)

        width = first("hidden_size", "n_embd", "d_model", default=512)
        heads = first("num_attention_heads", "n_head", default=8)
        size = first("head_dim", default=width // heads)
        gated = "intermediate_size" in config and config.get("model_type") not in ("gpt_neox", "opt", "phi", "bloom")
        return cls(
            parameters=parameters,
            layers=first("num_hidden_layers", "n_layer", default=12),
            width=width,
            inner=first("intermediate_size", "n_inner", default=4 * width),
            queries=heads * size,
            keys=first("num_key_value_heads", default=heads) * size,
            vocab=first("vocab_size", default=32000),
            gates=2 if gated else 1,
            ours=config.get("model_type") in OURS,
        )

    @property
    def matrices(self) -> int:
        """Numbers in the matrices of one layer."""
        return self.width * (2 * self.queries + 2 * self.keys) + (self.gates + 1) * self.width * self.inner


@dataclass(frozen=True)
class Estimate:
    """What a run will need. Bytes and seconds; `seconds` is None while the machine was not measured."""

    memory: int
    available: int
    seconds_per_step: float | None
    seconds: float | None
    instead: SFTConfig | None = None
    """Settings that would fit, when these do not; None when they do or nothing would."""

    @property
    def fits(self) -> bool:
        """Whether there is memory enough for it."""
        return self.memory <= SHARE * self.available


def estimate(shape: Shape, config: SFTConfig, lengths: Sequence[int], learned: float, machine: Machine) -> Estimate:
    """What fine-tuning a network takes, on conversations of such `lengths` (tokens) of which the share `learned` is
    trained on."""
    need = memory(shape, config, lengths, learned)
    rate = machine.rate(shape.width)
    step = seconds_per_step(shape, config, lengths, learned, machine) if rate else None
    fits = need <= SHARE * machine.memory
    instead = None if fits else fitting(shape, config, lengths, learned, machine.memory)
    return Estimate(need, machine.memory, step, 1.1 * config.max_steps * step if step else None, instead)


def fitting(
    shape: Shape, config: SFTConfig, lengths: Sequence[int], learned: float, available: int
) -> SFTConfig | None:
    """The least changed settings that fit: smaller parts, then keeping less, then LoRA, then shorter examples."""
    changed: SFTConfig | None = config
    while changed is not None:
        if memory(shape, changed, lengths, learned) <= SHARE * available:
            return changed
        least, changed = changed, changed.smaller()
    if least.lora is None:
        return fitting(shape, config.replace(lora=LoRAConfig()), lengths, learned, available)
    if config.max_length > 64:
        return fitting(shape, least.replace(max_length=config.max_length // 2), lengths, learned, available)
    return None


# --- memory ---


def memory(shape: Shape, config: SFTConfig, lengths: Sequence[int], learned: float) -> int:
    """Bytes at the largest moment of the run."""
    trained = _trained(shape, config.lora)
    frozen = shape.parameters - (0 if config.lora else trained)
    weights = (0.55 if config.lora and config.lora.quantize != "no" else 4) * frozen + 16 * trained
    tokens = _tokens_of_a_part(shape, config, lengths)
    kept = _kept_per_token(shape, config)
    layers = 1 if config.gradient_checkpointing else shape.layers
    entering = shape.width * shape.layers if config.gradient_checkpointing else 0
    side_by_side = 0 if config.lora or not shape.ours else _beside(shape) * layers
    copies = 1.25 if shape.ours else 5.0
    head = copies * tokens * learned * shape.vocab
    halves = 0.65 if config.precision == "bfloat16" else 1.0
    return int(PROCESS + weights + 4 * side_by_side + 4 * halves * (tokens * (kept * layers + entering) + head))


def _trained(shape: Shape, lora: LoRAConfig | None) -> int:
    """How many parameters are trained."""
    if lora is None:
        return shape.parameters
    sides = 4 * shape.width + 2 * shape.queries + 2 * shape.keys + (shape.gates + 1) * (shape.width + shape.inner)
    return shape.layers * lora.r * sides


def _kept_per_token(shape: Shape, config: SFTConfig) -> float:
    """Numbers that one layer keeps of one token until the way back: what enters each norm, product and activation."""
    counted = 4 * shape.width + 4 * shape.queries + 2 * shape.keys + 4 * shape.inner
    if shape.ours:
        return counted * (1.4 if config.lora else 1.25)
    return counted * (1.85 if config.lora else 1.4) * (1.0 if shape.gates == 2 else 1.25)


def _beside(shape: Shape) -> int:
    """Numbers in the matrices of a layer that are put side by side for one large product."""
    return shape.width * (shape.queries + 2 * shape.keys + 2 * shape.inner)


def _tokens_of_a_part(shape: Shape, config: SFTConfig, lengths: Sequence[int]) -> float:
    """Tokens of the largest part of a batch: side by side and padded through transformers, packed in our network."""
    count = -(-config.batch_size // (config.processes * config.gradient_accumulation))
    cut = [min(length, config.max_length) for length in lengths] or [config.max_length]
    if not shape.ours:
        return count * max(cut)
    mean = sum(cut) / len(cut)
    spread = math.sqrt(sum((length - mean) ** 2 for length in cut) / len(cut))
    return min(count * max(cut), count * mean + 2.5 * spread * math.sqrt(count))


# --- time ---


def seconds_per_step(
    shape: Shape, config: SFTConfig, lengths: Sequence[int], learned: float, machine: Machine
) -> float:
    """One step: its matrix products at the machine's rate, and its passes over memory."""
    cut = [min(length, config.max_length) for length in lengths] or [config.max_length]
    mean = sum(cut) / len(cut)
    each = max(cut) if not shape.ours else mean
    tokens = config.batch_size * each / config.processes
    passes = (4 if config.lora else 6) + (2 if config.gradient_checkpointing else 0)
    body = passes * shape.layers * shape.matrices * tokens
    attention = 7 * shape.layers * each * shape.queries * tokens
    head = (4 if config.lora else 6) * shape.vocab * shape.width * tokens * learned * mean / each
    counted = 4 * shape.width + 4 * shape.queries + 2 * shape.keys + 4 * shape.inner
    touched = 4 * (PASSES * counted * shape.layers * tokens + 8 * _trained(shape, config.lora))
    touched += 4 * (4 if shape.ours else 8) * tokens * learned * shape.vocab
    calls = CALLS * shape.layers * config.gradient_accumulation
    at_best = (body + attention + head) / machine.rate(shape.width) + touched / machine.bytes_per_second + calls
    return at_best / REACHED


PASSES = 3.0
"""How often what a layer keeps is written or read in a step, besides its products."""
REACHED = 0.75
"""Share of those rates that real training reaches: its matrices are uneven and share the processor's caches."""
CALLS = 0.0006
"""Seconds that one layer costs in a step however small it is."""


def in_words(found: Estimate, config: Any) -> str:
    """The estimate in a sentence or two for the page."""
    need = f"Needs about {_gigabytes(found.memory)} of memory ({_gigabytes(found.available)} free)"
    if found.fits:
        return need + "."
    if found.instead is None:
        return f"{need}: that will not fit, however its settings are changed. Take a smaller model."
    return f"{need}: that will not fit. This would: {_changes(config, found.instead)}."


def _changes(config: Any, instead: Any) -> str:
    names = ("gradient_accumulation", "gradient_checkpointing", "max_length")
    changed = [f"{name} {getattr(instead, name)}" for name in names if getattr(instead, name) != getattr(config, name)]
    return ", ".join([*(["LoRA"] if instead.lora and not config.lora else []), *changed]).replace("ing True", "ing on")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
