"""Preference pairs as tokens: for DPO with the tokens of both replies marked, for a reward model as rankings.

Shapes: `C` comparisons (pairs of texts), `L` texts of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.batching import Example, pack
from lab.causal_lm import PackedBatch
from lab.chat_template import ChatTemplate
from lab.errors import ModelError
from lab.preference import PreferencePair
from lab.template_sandbox import TemplateTimeoutError

MOST_PAIRS = 36
"""Comparisons in one ranking at most: all pairs of nine replies (Ouyang et al. 2022, sec. 3.5). More are cut apart."""


@dataclass(frozen=True)
class EncodedPair:
    """A pair as tokens: of each reply the whole conversation, with the reply and its end marked. `number` is the place
    of the pair among the rows it came from."""

    chosen: Example
    rejected: Example
    number: int
    margin: float = 0.0
    tie: bool = False

    @property
    def tokens(self) -> int:
        """Tokens read for both replies."""
        return len(self.chosen.ids) + len(self.rejected.ids)


def encode_pairs(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    template: ChatTemplate,
    max_length: int,
    refused: list[str] | None = None,
) -> list[EncodedPair]:
    """Numbered pairs (as `PreferencePair.to_json()` gives them) as tokens. A pair with a reply that ends after
    `max_length` tokens is left out: cut, it would be judged by a reply that nobody saw. One that the template refuses
    is left out too and its reason put into `refused`; without such a list the refusal is raised."""
    found = []
    for number, values in rows:
        pair = PreferencePair.from_json(values)
        try:
            chosen, rejected = (_encode(pair, reply, template) for reply in (pair.chosen, pair.rejected))
        except TemplateTimeoutError:
            raise
        except ModelError as error:
            if refused is None:
                raise
            refused.append(str(error))
            continue
        if max(len(chosen.ids), len(rejected.ids)) <= max_length and chosen.targets and rejected.targets:
            found.append(EncodedPair(chosen, rejected, number, pair.margin, pair.tie))
    return found


def _encode(pair: PreferencePair, reply: str, template: ChatTemplate) -> Example:
    """The conversation with one of its replies; only the reply is marked, not what the assistant said before."""
    conversation = pair.with_reply(reply)
    earlier = (replace(message, learn=False) for message in conversation.prompt)
    encoded = template.encode(replace(conversation, messages=(*earlier, conversation.reply)))
    return Example(np.array(encoded.ids, np.int32), np.array(encoded.loss_mask, bool))


def length_batches(pairs: Sequence[EncodedPair], wanted: Iterable[int], size: int) -> list[list[int]]:
    """The numbers of the wanted pairs, `size` at a time, those of about one length together."""
    order = sorted(wanted, key=lambda number: pairs[number].tokens)
    return [order[start : start + size] for start in range(0, len(order), size)]


def told_apart(margin_C: Tensor) -> Tensor:
    """1 where the better reply is ahead, ½ where both are equal but for rounding, as they are before the first step."""
    return (margin_C.round(decimals=4).sign() + 1) / 2


# --- for a reward model ---


@dataclass(frozen=True)
class Ranking:
    """Replies to one prompt, each as a whole conversation, and the pairs of them that were compared: the places of the
    better and of the worse one in `texts`. The other lists have one entry for each pair."""

    texts: list[np.ndarray]
    pairs: list[tuple[int, int]]
    margins: list[float]
    ties: list[bool]
    numbers: list[int]

    @property
    def tokens(self) -> int:
        """Tokens read: every text once, however often it was compared."""
        return sum(map(len, self.texts))


def rankings(pairs: Sequence[EncodedPair]) -> list[Ranking]:
    """Pairs put together where they share a reply to the same prompt, directly or through others: a reply is then read
    once for all of its comparisons. In the order of their first pairs."""
    above: dict[bytes, bytes] = {}

    def top(example: Example) -> bytes:
        name = example.ids.tobytes()
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    for pair in pairs:
        above[top(pair.chosen)] = top(pair.rejected)
    groups: dict[bytes, list[EncodedPair]] = {}
    for pair in pairs:
        groups.setdefault(top(pair.chosen), []).append(pair)
    return [
        _ranking(group[start : start + MOST_PAIRS])
        for group in groups.values()
        for start in range(0, len(group), MOST_PAIRS)
    ]


def _ranking(group: Sequence[EncodedPair]) -> Ranking:
    place: dict[bytes, int] = {}
    texts: list[np.ndarray] = []
    for example in (side for pair in group for side in (pair.chosen, pair.rejected)):
        if example.ids.tobytes() not in place:
            place[example.ids.tobytes()] = len(texts)
            texts.append(example.ids)
    return Ranking(
        texts,
        [(place[pair.chosen.ids.tobytes()], place[pair.rejected.ids.tobytes()]) for pair in group],
        [pair.margin for pair in group],
        [pair.tie for pair in group],
        [pair.number for pair in group],
    )


@dataclass(frozen=True)
class Comparisons:
    """Some rankings as one batch: its texts, each scored at its last token, and what was compared. `weight_C` makes the
    pairs of a ranking count as much as one together."""

    batch: PackedBatch
    better_C: Tensor
    worse_C: Tensor
    margin_C: Tensor
    tie_C: Tensor
    weight_C: Tensor

    def to(self, device: torch.device | str) -> Comparisons:
        """The batch on another device."""
        return Comparisons(*(value.to(device) for value in vars(self).values()))


def pack_rankings(rankings: Sequence[Ranking]) -> Comparisons:
    """Rankings as one batch."""
    starts = np.cumsum([0, *(len(ranking.texts) for ranking in rankings)])
    pairs = [(start + a, start + b) for start, ranking in zip(starts, rankings) for a, b in ranking.pairs]
    better_C, worse_C = torch.tensor(pairs).T
    return Comparisons(
        pack_whole([text for ranking in rankings for text in ranking.texts]),
        better_C,
        worse_C,
        torch.tensor([margin for ranking in rankings for margin in ranking.margins]),
        torch.tensor([tie for ranking in rankings for tie in ranking.ties]),
        torch.tensor([1 / len(ranking.pairs) for ranking in rankings for _ in ranking.pairs]),
    )


def ranking_batches(rankings: Sequence[Ranking], batch_size: int) -> Iterator[tuple[list[Ranking], Comparisons]]:
    """All rankings in batches, those of about one length together."""
    ordered = sorted(rankings, key=lambda ranking: max(map(len, ranking.texts)))
    for start in range(0, len(ordered), batch_size):
        part = ordered[start : start + batch_size]
        yield part, pack_rankings(part)


def pack_whole(texts: Sequence[Sequence[int] | np.ndarray]) -> PackedBatch:
    """Sequences read to their end, each with one row that counts: that of its last token."""
    read = [np.append(np.asarray(ids, dtype=np.int64), 0) for ids in texts]  # the 0 is a target that nobody looks at
    return pack(read, [np.arange(len(ids)) == len(ids) - 1 for ids in read])
