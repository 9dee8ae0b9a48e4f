"""How fast this machine pretrains a network of some shape: found by doing it for a few seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from lab.algorithms.pretrain import next_token_loss
from lab.answers import HOW_MANY, SAMPLING
from lab.batching import pack
from lab.causal_lm import CausalLM
from lab.config import PretrainConfig
from lab.generate import complete
from lab.optimizers import muon_and_adamw
from lab.windows import Windows

MOST_TOKENS = 8192
"""Tokens of a trial step at most: larger batches go no faster by the token."""


@dataclass(frozen=True)
class TrainingSpeed:
    """What was measured, in wall-clock time."""

    tokens_per_second: float
    """Of training steps."""
    heldout_tokens_per_second: float
    """Of measuring without training."""
    sample_seconds: float
    """For one look at what the model writes to its fixed prompts."""

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def training_speed(model: CausalLM, config: PretrainConfig, windows: Windows, seconds: float = 3.0) -> TrainingSpeed:
    """Train a network on some windows for about so many seconds, as the run would. It is changed by that."""
    device = next(model.parameters()).device
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    optimizers = muon_and_adamw(model, config.matrix_learning_rate, config.learning_rate, config.optimizer)
    count = max(1, min(len(windows), config.batch_size, MOST_TOKENS // config.max_length))
    batch = pack([piece for number in range(count) for piece in windows[number]]).to(device)

    def step() -> None:
        next_token_loss(model(batch).logp_L, batch.losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.max_grad_norm).item()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    def measure() -> None:
        with torch.no_grad():
            model(batch).logp_L.sum().item()

    def sample() -> None:
        complete(model, [[0] * 8] * HOW_MANY, SAMPLING, end_ids=())

    with _all_cores():
        step()
        return TrainingSpeed(
            batch.losses / _repeated(step, seconds),
            batch.losses / _repeated(measure, seconds / 10),
            _repeated(sample, seconds / 10),
        )


def _repeated(work: Callable[[], None], seconds: float) -> float:
    """Seconds that some work takes: the median of as often as fits into `seconds`, at least two times."""
    laps: list[float] = []
    while len(laps) < 2 or sum(laps) < seconds:
        started = time.perf_counter()
        work()
        laps.append(time.perf_counter() - started)
    return sorted(laps)[len(laps) // 2]


@contextmanager
def _all_cores() -> Any:
    """As many threads as a run gets; the model process itself works with fewer."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
