"""Sizes to pretrain, and what a training costs before it begins: operations, time, money.

A training step does about six floating-point operations per parameter and token: two on the way forward, four on the
way back (Kaplan et al. 2020, arXiv:2001.08361). So N parameters and D tokens take C = 6·N·D.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.config import OptimizerConfig, PretrainConfig

_STEADY = OptimizerConfig(warmup_steps=40, beta2=0.95, schedule="linear")

SIZES: dict[str, PretrainConfig] = {
    "nano": PretrainConfig(
        hidden_size=96,
        layers=4,
        heads=3,
        intermediate_size=256,
        context_length=256,
        max_length=128,
        batch_size=16,
        max_steps=400,
        eval_every=40,
        sample_every=20,
        checkpoint_every=40,
        optimizer=_STEADY,
    ),
    "small": PretrainConfig(max_steps=1200, eval_every=100, sample_every=100, checkpoint_every=100, optimizer=_STEADY),
    "medium": PretrainConfig(
        hidden_size=384,
        layers=6,
        heads=6,
        intermediate_size=1024,
        max_length=512,
        batch_size=32,
        max_steps=2000,
        learning_rate=2e-3,
        eval_every=100,
        sample_every=100,
        checkpoint_every=200,
        optimizer=_STEADY,
    ),
    "large": PretrainConfig(
        hidden_size=768,
        layers=12,
        heads=12,
        intermediate_size=2048,
        max_length=1024,
        batch_size=64,
        max_steps=5000,
        learning_rate=1e-3,
        matrix_learning_rate=0.01,
        eval_every=250,
        sample_every=250,
        checkpoint_every=500,
        optimizer=_STEADY,
    ),
}
"""Settings to begin with, by the size of the network: from two minutes on a laptop to GPT-2's smallest shape."""

H100_OPERATIONS = 989e12
"""Dense bfloat16 operations per second that NVIDIA states for one H100 SXM."""
UTILISATION = 0.4
"""Share of it that well-made training reaches (an assumption; published runs report 0.35 to 0.5)."""


@dataclass(frozen=True)
class Example:
    """A model that others made, with figures that were made public."""

    name: str
    parameters: float
    tokens: float
    said: str
    """What it was said to cost."""


EXAMPLES = (
    Example("GPT-2, made again in 2024", 1.56e9, 33.6e9, "about $600 to $700: one day on 8 H100 (llm.c)"),
    Example("GPT-2, 2019", 1.56e9, 100e9, "about $40,000, on the chips of 2019"),
    Example("Llama 3.1 405B, 2024", 405e9, 15.6e12, "30.84 million GPU-hours (model card)"),
)


def parameters(config: PretrainConfig, vocab_size: int) -> int:
    """Parameters of a new network of this shape; the embedding is the head too and counts once."""
    width, inner = config.hidden_size, config.intermediate_size
    layer = 4 * width * width + 3 * width * inner + 2 * width
    return vocab_size * width + config.layers * layer + width


def tokens(config: PretrainConfig) -> int:
    """Tokens that a run reads, every window being full."""
    return config.max_steps * config.batch_size * config.max_length


def operations(parameters: float, tokens: float) -> float:
    """C = 6·N·D."""
    return 6 * parameters * tokens


def gpu_hours(operations: float, per_second: float = H100_OPERATIONS * UTILISATION) -> float:
    """Hours that one GPU of this rate needs."""
    return operations / per_second / 3600


def training_seconds(
    config: PretrainConfig,
    heldout_tokens: float,
    *,
    tokens_per_second: float,
    heldout_tokens_per_second: float,
    sample_seconds: float,
) -> float:
    """How long a run takes from its first step to its last, its measurements and samples included, at these rates.

    `heldout_tokens`: tokens of the documents kept aside; of more than a tenth of the time's worth, a part is measured.
    """
    per_step = config.batch_size * config.max_length
    most = max(1.0, 0.3 * config.eval_every) * per_step if config.eval_every else heldout_tokens
    looks = 1 + (config.max_steps // config.eval_every if config.eval_every else 0)
    samples = 1 + config.max_steps // config.sample_every if config.sample_every else 0
    measuring = looks * min(heldout_tokens, most) / heldout_tokens_per_second
    return tokens(config) / tokens_per_second + measuring + samples * sample_seconds
