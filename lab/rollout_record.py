"""The watched completions of a run, kept for the page: `rollouts.jsonl` in the run's folder.

One line per step and watched question, bounded in size. A line has `step`, `prompt` (its number), `question`, `answer`,
and `samples`: for each `text`, `tokens`, `reward`, `right` (None where that cannot be told), `advantage`, `ended`,
`error`, and per token `logp`, `log_ratio` (log p of the policy minus that of the reference), `kl` and `entropy`.
A resumed run writes the lines of its steps again; the last line of a step and a prompt is the one that counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lab.rewards import checkable, gold
from lab.rollout import Group

MOST_SAMPLES, MOST_TOKENS = 16, 400
"""Completions of a question, and tokens of a completion, that are kept."""


class TokenView(NamedTuple):
    """What is known of each token of a completion: log p under the policy that wrote it, log of its ratio to the
    reference, KL of the two distributions there, entropy of the policy there; all in nats."""

    logp: list[float]
    log_ratio: list[float]
    kl: list[float]
    entropy: list[float]


class RolloutRecord:
    """Appends to a file; without one, keeps nothing. `pieces` gives the text of each token."""

    def __init__(self, file: Path | None = None, pieces: Callable[[Sequence[int]], list[str]] | None = None) -> None:
        self._file = file
        self._pieces = pieces or (lambda ids: list(map(str, ids)))

    def write(self, step: int, group: Group, advantages: Sequence[float], views: Sequence[TokenView]) -> None:
        """Keep a group with the advantage of each completion."""
        if self._file is None:
            return
        problem = group.prompt.problem
        line = {
            "step": step,
            "prompt": group.prompt.number,
            "question": problem.question,
            "answer": problem.answer,
            "samples": list(self._samples(group, advantages, views)),
        }
        with self._file.open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _samples(
        self, group: Group, advantages: Sequence[float], views: Sequence[TokenView]
    ) -> Iterator[dict[str, Any]]:
        has_answer = checkable(group.prompt.problem.answer, group.prompt.problem.category)
        rows = zip(group.completions, group.samples, group.scores, advantages, views)
        for completion, sample, score, advantage, view in list(rows)[:MOST_SAMPLES]:
            values: dict[str, Any] = {
                "text": sample.completion,
                "tokens": self._pieces(completion.ids[:MOST_TOKENS]),
                "reward": _rounded(score.value),
                "right": bool(gold(sample)) if has_answer else None,
                "advantage": _rounded(advantage),
                "ended": sample.ended,
            }
            values |= {name: list(map(_rounded, of[:MOST_TOKENS])) for name, of in view._asdict().items()}
            yield values | ({"error": score.error[:300]} if score.error else {})


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
