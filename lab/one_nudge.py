"""One nudge: a step or a few of pretraining on a single window, on a copy of a model, and what they changed.

What training does a million times, slowed down so that it can be seen: the probability of every next token of the
window before and after, and how easy other windows, which the step never saw, have become.
Shapes: `T` tokens of a piece, `V` vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lab.algorithms.pretrain import next_token_loss
from lab.batching import pack
from lab.causal_lm import CausalLM
from lab.config import OptimizerConfig
from lab.optimizers import muon_and_adamw

Window = Sequence[Sequence[int]]
"""Pieces of documents, as token ids; a piece does not see the others."""

MATRIX_RATE = 5.0
"""The step size of the matrices (Muon) beside that of the rest (AdamW), as in `PretrainConfig`."""


class Position(NamedTuple):
    """One token to predict: log p of it before and after, and the tokens that were or became most likely there, as
    (id, log p before, log p after), the likeliest before first."""

    before: float
    after: float
    top: list[tuple[int, float, float]]


class Nudged(NamedTuple):
    """What the steps changed. Losses are means of −log p, in nats per token."""

    positions: list[Position]
    """Of the window that was trained on: every token but the first of each piece."""
    before: float
    after: float
    others: list[tuple[float, float]]
    """Loss before and after of each window that was not trained on."""
    grad_norm: float
    """Length of the first step's gradient; 0 without a step."""


def nudge(
    model: CausalLM, window: Window, others: Sequence[Window], *, rate: float, steps: int = 1, top: int = 5
) -> Nudged:
    """Take `steps` steps of size `rate` on `window`, on a copy of `model`; the model itself stays as it is. Without a
    step it is only looked at."""
    pupil = copy.deepcopy(model).eval()
    before_TV = _logps(pupil, window)
    others_before = [_loss(pupil, other) for other in others]
    grad_norm = _step(pupil, window, rate, steps)
    after_TV = _logps(pupil, window)
    targets_T = torch.tensor([id for piece in window for id in piece[1:]], device=before_TV.device)
    positions = _positions(before_TV, after_TV, targets_T, top)
    return Nudged(
        positions,
        -sum(each.before for each in positions) / len(positions),
        -sum(each.after for each in positions) / len(positions),
        [(before, _loss(pupil, other)) for before, other in zip(others_before, others)],
        grad_norm,
    )


def _step(pupil: CausalLM, window: Window, rate: float, steps: int) -> float:
    """Train the pupil on the window; gives the length of the first gradient."""
    for parameter in pupil.parameters():
        parameter.requires_grad_(True)
    optimizers = muon_and_adamw(pupil, MATRIX_RATE * rate, rate, OptimizerConfig(beta2=0.95))
    batch = pack(window).to(next(pupil.parameters()).device)
    norms = []
    for _ in range(steps):
        next_token_loss(pupil(batch).logp_L, batch.losses).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return norms[0] if norms else 0.0


@torch.no_grad()
def _logps(model: CausalLM, window: Window) -> Tensor:
    """log p of every token of the vocabulary at every place of the window that has a next one: (T, V)."""
    device = next(model.parameters()).device
    pieces = [model.logits(torch.tensor([list(piece)], device=device))[0, :-1] for piece in window]
    return torch.cat(pieces).float().log_softmax(-1)


@torch.no_grad()
def _loss(model: CausalLM, window: Window) -> float:
    batch = pack(window).to(next(model.parameters()).device)
    return float(next_token_loss(model(batch).logp_L, batch.losses))


def _positions(before_TV: Tensor, after_TV: Tensor, targets_T: Tensor, top: int) -> list[Position]:
    top = min(top, before_TV.shape[-1])
    both = (before_TV.topk(top).indices.tolist(), after_TV.topk(top).indices.tolist(), targets_T.tolist())
    positions = []
    for place, (first, later, target) in enumerate(zip(*both)):
        ids = list(dict.fromkeys([*first, *later, target]))
        before, after = (logps[place, ids].tolist() for logps in (before_TV, after_TV))
        rows = sorted(zip(ids, before, after), key=lambda row: -row[1])
        positions.append(Position(before[ids.index(target)], after[ids.index(target)], rows))
    return positions


def to_json(nudged: Nudged, words: Callable[[int], str]) -> dict[str, Any]:
    """What was found as JSON values; `words` gives the text of a token by its id."""
    return {
        **nudged._asdict(),
        "positions": [
            {"before": each.before, "after": each.after, "top": [[id, words(id), *logps] for id, *logps in each.top]}
            for each in nudged.positions
        ],
    }
