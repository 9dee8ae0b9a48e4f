"""Puts together what `lab/algorithms/reward_model.py` needs, from the folder of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lab.algorithms import reward_model as page
from lab.chat_template import ChatTemplate
from lab.config import RewardModelConfig
from lab.events import RunReporter
from lab.preference_batching import rankings
from lab.run_dir import RunDir
from lab.scalar_head import (
    RewardModel,
    adapt_reward_model,
    rewards,
    save_adapted_reward_model,
    save_reward_model,
    with_scalar_head,
)
from lab.tokenizer import load_tokenizer
from lab.training import without_dropout
from lab.worker.around import finish, starting_point, surroundings, usable_length
from lab.worker.labels import labels

SHOWN = 3
"""Pairs whose rewards are shown while training."""


def work(run: RunDir, config: RewardModelConfig, report: RunReporter) -> None:
    """Train the run's model, with a new head, on its labels."""
    parent = Path(run.about()["model_folder"])
    model = with_scalar_head(starting_point(config, parent, config.lora), load_tokenizer(parent))
    without_dropout(model)
    save: Callable[..., None] = partial(save_reward_model, tokenizer_from=parent)
    if config.lora:
        adapt_reward_model(model, config.lora, config.seed)
        save = partial(save_adapted_reward_model, parent=parent, config=config.lora)
    if config.gradient_checkpointing:
        model.body.keep_less()
    template = ChatTemplate.from_folder(parent)
    length = usable_length(config, model, report)
    pairs, heldout, rows = labels(run, template, length, report, ties=True)
    pairs = pairs[: config.labels or None]
    around = surroundings(run, config, report, save, partial(_judged, rows=rows[:SHOWN], template=template))
    progress = page.train(model, rankings(pairs), rankings(heldout), config, around)
    finish(run, around, model, progress.step)


def _judged(model: nn.Module, rows: list[dict[str, Any]], template: ChatTemplate) -> Iterator[tuple[str, str]]:
    """(prompt, both replies with the rewards that the model gives them) of some pairs."""
    assert isinstance(model, RewardModel)
    for row in rows:
        replies = [row["chosen"], row["rejected"]]
        asked = [[*row["prompt"], {"role": "assistant", "content": reply}] for reply in replies]
        found = zip(("chosen", "rejected"), rewards(model, template, asked), replies)
        text = "\n".join(f"{name} {reward:+.2f}: {reply}" for name, reward, reply in found)
        yield row["prompt"][-1]["content"], text
