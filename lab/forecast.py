"""Settings to begin a training with, for a model of some size and data of some amount.

The numbers were found by trying, on the bundled models and on the ones people bring; they are where to begin, not laws.
"""

from __future__ import annotations

from lab.config import LoRAConfig, RewardModelConfig, SFTConfig

FULL_RATES = ((5e6, 5e-4), (20e6, 2.5e-4), (300e6, 1e-4), (float("inf"), 2e-5))
"""Learning rate for all weights, by the largest number of parameters it is for. (1e-3 ruins a model of a million.)"""
LORA_RATES = ((20e6, 2e-3), (300e6, 5e-4), (float("inf"), 2e-4))
"""The same for adapters: they begin at nothing and bear larger steps."""
PASSES = ((50, 12), (200, 6), (1000, 3), (float("inf"), 2))
"""How often to go through the data, by the largest number of conversations it is for."""
LABEL_PASSES = ((50, 8), (200, 3), (float("inf"), 1))
"""The same for preference pairs."""
BATCH = 16
SHORTEST, LONGEST = 20, 600
"""Steps of a first run: enough to see something, and not a coffee break on a laptop."""


def sft_settings(
    *, parameters: int, context_length: int, rows: int, lora: bool = False, longest: int | None = None
) -> SFTConfig:
    """Settings to begin with, for a model of so many parameters and so many conversations.

    `longest`: tokens of the longest conversation, when it is known; max_length then does not go far beyond it.
    """
    batch = max(1, min(BATCH, rows))
    steps = max(SHORTEST, min(LONGEST, round(_by_size(PASSES, rows) * rows / batch)))
    every = max(1, steps // 10)
    room = context_length or 1024
    return SFTConfig(
        max_steps=steps,
        batch_size=batch,
        learning_rate=_by_size(LORA_RATES if lora else FULL_RATES, parameters),
        max_length=min(room, 2048, _round_up(longest) if longest else 512),
        heldout_fraction=0.1 if rows >= 20 else 0.0,
        eval_every=every,
        sample_every=2 * every,
        checkpoint_every=max(1, steps // 2),
        lora=LoRAConfig() if lora else None,
    )


def reward_settings(*, parameters: int, context_length: int, rows: int, lora: bool = False) -> RewardModelConfig:
    """Settings to begin with, for a model of so many parameters and so many labels: about a pass, since a second one
    mostly learns them by heart (Ouyang et al. 2022, arXiv:2203.02155, appendix C.2)."""
    batch = max(1, min(BATCH, rows))
    steps = max(SHORTEST, min(LONGEST, round(_by_size(LABEL_PASSES, rows) * rows / batch)))
    every = max(1, steps // 6)
    return RewardModelConfig(
        max_steps=steps,
        batch_size=batch,
        learning_rate=_by_size(LORA_RATES if lora else FULL_RATES, parameters),
        max_length=min(context_length or 1024, 1024),
        heldout_fraction=0.2 if rows >= 10 else 0.0,
        eval_every=every,
        sample_every=every,
        checkpoint_every=max(1, steps // 2),
        lora=LoRAConfig() if lora else None,
    )


def _by_size(table: tuple[tuple[float, float], ...], size: float) -> float:
    return next(value for largest, value in table if size <= largest)


def _round_up(tokens: int, to: int = 64) -> int:
    return max(to, -(-tokens // to) * to)
