"""How many held-out problems a model answers rightly while it is trained, always with its most probable words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lab.config import SamplingConfig
from lab.intervals import wilson
from lab.rewards import checkable, gold
from lab.rollout import Decode, Prompt, sample_of, write
from lab.training import TrainingRun


@dataclass(frozen=True)
class Exam:
    """The problems, and what is needed to read the answers."""

    heldout: Sequence[Prompt]
    begun: Sequence[Prompt]
    """The same questions, each with the first words of a worked answer given; empty when there is no beginning that all
    worked answers share."""
    decode: Decode
    end_ids: frozenset[int]
    max_new_tokens: int
    run: TrainingRun

    def take(self, model: nn.Module, step: int) -> None:
        """Report the share that is right. Problems whose answers cannot be checked are not measured."""
        values: dict[str, float] = {}
        for name, prompts in (("accuracy/heldout", self.heldout), ("accuracy/begun", self.begun)):
            if prompts and all(checkable(prompt.problem.answer, prompt.problem.category) for prompt in prompts):
                share = values[name] = self._share_right(model, prompts)
                low, high = wilson(round(share * len(prompts)), len(prompts))
                values |= {f"{name}_low": low, f"{name}_high": high} if prompts is self.heldout else {}
        if values:
            self.run.report.metrics(step, values)

    def _share_right(self, model: nn.Module, prompts: Sequence[Prompt]) -> float:
        accelerator = self.run.accelerator
        mine = prompts[accelerator.process_index :: accelerator.num_processes]
        right = 0.0
        if mine:
            greedy = SamplingConfig(temperature=0.0, max_new_tokens=self.max_new_tokens)
            written = write(writer_in(accelerator.unwrap_model(model)), mine, greedy, self.end_ids)
            right = sum(gold(sample_of(prompt, one, self.decode)) for prompt, one in zip(mine, written))
        return float(self.run.summed(torch.tensor(right, dtype=torch.float64))) / len(prompts)


def writer_in(module: Any) -> Any:
    """The network that writes: what is trained, or the policy in it."""
    return getattr(module, "policy", module)
