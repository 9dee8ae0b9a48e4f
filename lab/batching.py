"""From token ids to batches: sequences packed one after another without padding, and which of them a step reads.

Shapes: `N` rows (the tokens read, of all sequences), `L` rows with a loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.causal_lm import PackedBatch
from lab.chat_template import ChatTemplate
from lab.conversation import Conversation
from lab.errors import ModelError
from lab.template_sandbox import TemplateTimeoutError
from lab.windows import Windows

LONGER_AT_MOST = 1.25
"""Sequences whose lengths differ by less than this factor share one attention call, the shorter padded inside it."""


def pack(
    sequences: Sequence[Sequence[int] | np.ndarray], masks: Sequence[Sequence[bool] | np.ndarray] | None = None
) -> PackedBatch:
    """Sequences of ids as one batch. Token t is a target when `masks` says so (without masks: always), except the
    first of a sequence, which nothing precedes; the last token of a sequence is only a target, never read."""
    arrays = [np.asarray(ids, dtype=np.int64) for ids in sequences if len(ids) > 1]
    lengths = [len(ids) - 1 for ids in arrays]
    if not arrays:
        raise ValueError("a batch needs at least one sequence of two tokens")
    targets = np.concatenate([ids[1:] for ids in arrays])
    rows = None
    if masks is not None:
        kept = [np.asarray(mask, dtype=bool)[1:] for mask, ids in zip(masks, sequences, strict=True) if len(ids) > 1]
        row_array = np.flatnonzero(np.concatenate(kept))
        targets, rows = targets[row_array], torch.from_numpy(row_array)
    groups, slots, slot_of = _attention_groups(lengths)
    return PackedBatch(
        ids_N=torch.from_numpy(np.concatenate([ids[:-1] for ids in arrays])),
        positions_N=torch.from_numpy(np.concatenate([np.arange(length) for length in lengths])),
        rows_L=rows,
        targets_L=torch.from_numpy(targets),
        groups=groups,
        slots=slots,
        slot_of_N=slot_of,
    )


def _attention_groups(lengths: list[int]) -> tuple[tuple[tuple[int, int], ...], Tensor | None, Tensor | None]:
    """Groups of sequences of about one length, longest first, and how padded slots and rows correspond."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    order = np.argsort(lengths, kind="stable")[::-1]
    members: list[list[int]] = []
    for sequence in order:
        if members and lengths[members[-1][0]] <= LONGER_AT_MOST * lengths[sequence]:
            members[-1].append(int(sequence))
        else:
            members.append([int(sequence)])
    groups = tuple((len(group), lengths[group[0]]) for group in members)
    if len(members) == 1 and min(lengths) == max(lengths):
        return groups, None, None
    slots, slot_of, filled = [], np.empty(sum(lengths), dtype=np.int64), 0
    for group, (_, longest) in zip(members, groups):
        for sequence in group:
            rows = starts[sequence] + np.arange(lengths[sequence])
            slot_of[rows] = filled + np.arange(len(rows))
            slots.append(np.pad(rows, (0, longest - len(rows)), mode="edge"))
            filled += longest
    return groups, torch.from_numpy(np.concatenate(slots)), torch.from_numpy(slot_of)


@dataclass(frozen=True)
class Example:
    """A conversation as tokens, and which of them are to be learned."""

    ids: np.ndarray
    mask: np.ndarray

    @property
    def targets(self) -> int:
        """Tokens to learn: the marked ones but the first token, which nothing precedes."""
        return int(self.mask[1:].sum())


def encode_conversations(
    conversations: Iterable[Mapping[str, Any]],
    template: ChatTemplate,
    max_length: int,
    refused: list[str] | None = None,
) -> list[Example]:
    """Conversations (as `Conversation.to_json()` gives them) as tokens, cut to `max_length`. One of which no reply is
    within that length has nothing to learn from, and is left out.

    A conversation that the template refuses is left out too and its reason put into `refused`; without such a list the
    refusal is raised, as a template is that does not come to an end.
    """
    examples = []
    for values in conversations:
        try:
            encoded = template.encode(Conversation.from_json(values), max_length)
        except TemplateTimeoutError:
            raise
        except ModelError as error:
            if refused is None:
                raise
            refused.append(str(error))
            continue
        example = Example(np.array(encoded.ids, np.int32), np.array(encoded.loss_mask, bool))
        if example.targets:
            examples.append(example)
    return examples


def pack_examples(examples: Sequence[Example]) -> PackedBatch:
    """Examples as one batch."""
    return pack([example.ids for example in examples], [example.mask for example in examples])


def example_batches(examples: Sequence[Example], batch_size: int) -> list[PackedBatch]:
    """All examples as batches, those of about one length together."""
    ordered = sorted(examples, key=lambda example: len(example.ids))
    return [pack_examples(ordered[start : start + batch_size]) for start in range(0, len(ordered), batch_size)]


def window_batches(windows: Windows, batch_size: int) -> list[PackedBatch]:
    """All windows as batches of `batch_size` windows, in order."""
    starts = range(0, len(windows), batch_size)
    numbers = [range(start, min(start + batch_size, len(windows))) for start in starts]
    return [pack([piece for number in batch for piece in windows[number]]) for batch in numbers]


# --- which examples a step reads ---


def batch_order(seed: int, step: int, count: int, batch_size: int) -> list[int]:
    """Which of `count` examples step `step` (from 0) reads. The examples are gone through again and again, in another
    order each time; the answer depends on the arguments only, so that a resumed run reads what it would have read."""
    first = step * batch_size
    picks = ((number // count, number % count) for number in range(first, first + batch_size))
    return [int(_shuffled(seed, epoch, count)[place]) for epoch, place in picks]


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)
