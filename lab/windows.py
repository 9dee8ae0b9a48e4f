"""Documents as tokens, cut and put together into windows: what pretraining reads. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lab.tokenizer import Tokenizer


@dataclass(frozen=True)
class Windows:
    """Documents cut into pieces of at most `max_length` predictions, and the pieces put into windows that are as full
    as possible. `ids` holds all pieces one after another; window i holds the pieces `windows[i]`."""

    ids: np.ndarray
    starts: np.ndarray
    windows: list[list[int]]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, window: int) -> list[np.ndarray]:
        return [self.ids[self.starts[piece] : self.starts[piece + 1]] for piece in self.windows[window]]

    def tokens(self, window: int) -> int:
        """Tokens to predict in a window."""
        return sum(int(self.starts[piece + 1] - self.starts[piece]) - 1 for piece in self.windows[window])


def pack_documents(documents: Iterable[Sequence[int] | np.ndarray], max_length: int) -> Windows:
    """Pack documents (ids, with the marks of their start and end) into windows of at most `max_length` predictions.

    A longer document is cut; a piece repeats the last token of the piece before it, so that every token but a
    document's first is predicted exactly once.
    """
    pieces = [
        np.asarray(ids[start : start + max_length + 1], dtype=np.int32)
        for ids in documents
        for start in range(0, len(ids) - 1, max_length)
    ]
    sizes = [len(piece) - 1 for piece in pieces]
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces], dtype=np.int64)])
    ids = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
    return Windows(ids, starts, _best_fit(sizes, max_length))


def document_mark(tokenizer: Tokenizer) -> list[int]:
    """The token that stands between documents: the one that begins a text, else the one that ends it, if any."""
    mark = tokenizer.named_tokens.get("bos_token") or tokenizer.named_tokens.get("eos_token")
    return tokenizer.ids(mark, parse_special=True) if mark else []


def encode_documents(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """The ids of each text between two marks, so that the model learns how documents begin and where they end."""
    mark = document_mark(tokenizer)
    for text in texts:
        yield [*mark, *tokenizer.ids(text), *mark]


def _best_fit(sizes: list[int], capacity: int) -> list[list[int]]:
    """Items of `sizes` into bins of `capacity`: the longest first, each into the fullest bin that still has room."""
    bins: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    for item in sorted(range(len(sizes)), key=lambda item: -sizes[item]):
        room = next((room for room in range(sizes[item], capacity + 1) if by_room[room]), None)
        if room is None:
            bins.append([])
            place, room = len(bins) - 1, capacity
        else:
            place = by_room[room].pop()
        bins[place].append(item)
        by_room[room - sizes[item]].append(place)
    return bins
