"""Byte-pair encoding, one merge at a time: learning the merges from a text, and seeing those of a tokenizer at work.

The text is cut into words first (GPT-2's rule); a word that comes often is kept once, with its count. A table of pairs
is kept up to date where a merge changes something, so that a merge costs what it touches and not the whole text
(Sennrich, Haddow & Birch 2016, arXiv:1508.07909; over bytes as in Radford et al. 2019). No torch.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import pre_tokenizers

from lab.errors import ConfigError
from lab.tokenizer import FastTokenizer, Tokenizer, byte_alphabet

Pair = tuple[int, int]
BYTES = 256
CANDIDATES = 8
"""Pairs noted at each step: the one that is merged and those that came next."""


class Merge(NamedTuple):
    """One step of training: the most frequent pair becomes a token."""

    pair: Pair
    id: int
    """Of the token made: 256 for the first, or an older one with the same bytes."""
    times: int
    """How often the pair stood in the text."""
    length: int
    """Tokens of the whole text after the merge."""
    candidates: list[tuple[Pair, int]]
    """The most frequent pairs and their counts, the chosen one first."""


class MergeTraining:
    """Learning merges from a text: iterate for one merge after the other, until no pair comes twice."""

    def __init__(self, text: str) -> None:
        """Raises `ConfigError` for an empty text."""
        if not text:
            raise ConfigError("There is no text to learn from.", "text")
        self._ids: list[int] = []
        self._weights: list[int] = []
        alphabet = byte_alphabet()
        for word, count in Counter(split(text)).items():
            self._ids += [alphabet[character] for character in word]
            self._weights += [count] * len(word)
            self._ids.append(-1)  # nothing merges across the end of a word
            self._weights.append(0)
        size = len(self._ids)
        self._before, self._after = list(range(-1, size - 1)), list(range(1, size + 1))
        self.length = sum(self._weights)
        """Tokens of the whole text as it is now: its bytes at first."""
        self.pieces = [bytes([byte]) for byte in range(BYTES)]
        """The bytes of every token so far."""
        self._known = {piece: id for id, piece in enumerate(self.pieces)}
        self.merges: list[Pair] = []
        """The pairs merged so far."""
        self._counts: dict[Pair, int] = defaultdict(int)
        self._places: dict[Pair, list[int]] = defaultdict(list)
        for place in range(size - 1):
            self._note(place, place + 1)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[Merge]:
        return self

    def __next__(self) -> Merge:
        candidates = self._best(CANDIDATES)
        if not candidates or candidates[0][1] < 2:
            raise StopIteration
        pair, count = candidates[0]
        piece = self.pieces[pair[0]] + self.pieces[pair[1]]
        new = self._known.setdefault(piece, len(self.pieces))
        if new == len(self.pieces):
            self.pieces.append(piece)
        self.merges.append(pair)
        self._merge(pair, new)
        return Merge(pair, new, count, self.length, candidates)

    @staticmethod
    def words(text: str) -> list[bytes]:
        """A text as training sees it at first: words of bytes."""
        alphabet = byte_alphabet()
        return [bytes(alphabet[letter] for letter in word) for word in split(text)]

    def tokenizer(self) -> FastTokenizer:
        """The tokenizer with the merges so far."""
        return FastTokenizer(self.specification(), name="trained here")

    def specification(self) -> dict[str, Any]:
        """The content of its tokenizer.json."""
        letters = {byte: letter for letter, byte in byte_alphabet().items()}
        written = ["".join(letters[byte] for byte in piece) for piece in self.pieces]
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        return {
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": byte_level,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "vocab": {piece: id for id, piece in enumerate(written)},
                "merges": [[written[left], written[right]] for left, right in self.merges],
            },
        }

    def save(self, folder: Path) -> None:
        """Write tokenizer.json into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(self.specification(), ensure_ascii=False), encoding="utf-8")

    def _note(self, left: int, right: int) -> None:
        """Count the pair at two neighbouring places."""
        if self._ids[left] >= 0 and self._ids[right] >= 0:
            pair = self._ids[left], self._ids[right]
            self._counts[pair] += self._weights[left]
            self._places[pair].append(left)

    def _best(self, number: int) -> list[tuple[Pair, int]]:
        """The most frequent pairs. The heap may hold counts that are out of date: they are put right when met."""
        found: list[tuple[int, Pair]] = []
        while self._heap and len(found) < number:
            count, pair = heapq.heappop(self._heap)
            now = self._counts.get(pair, 0)
            if (found and found[-1][1] == pair) or not now:
                continue
            if now == -count:
                found.append((count, pair))
            elif now < -count:
                heapq.heappush(self._heap, (-now, pair))
        for entry in found:
            heapq.heappush(self._heap, entry)
        return [(pair, -count) for count, pair in found]

    def _merge(self, pair: Pair, new: int) -> None:
        """Put the new token wherever the pair stands, and count the pairs that this makes and unmakes."""
        ids, before, after = self._ids, self._before, self._after
        changed: set[Pair] = set()
        for place in sorted(set(self._places.pop(pair))):
            right = after[place]
            if ids[place] != pair[0] or right >= len(ids) or ids[right] != pair[1]:
                continue  # merged by a step in between, or overlapping with the one just made
            weight = self._weights[place]
            left, following = before[place], after[right]
            if left >= 0 and ids[left] >= 0:
                self._counts[ids[left], pair[0]] -= weight
                self._counts[ids[left], new] += weight
                self._places[ids[left], new].append(left)
                changed.add((ids[left], new))
            if ids[following] >= 0:
                self._counts[pair[1], ids[following]] -= weight
                self._counts[new, ids[following]] += weight
                self._places[new, ids[following]].append(place)
                changed.add((new, ids[following]))
            ids[place], ids[right] = new, -2
            after[place], before[following] = following, place
            self.length -= weight
        del self._counts[pair]
        for made in changed:
            if self._counts[made] > 0:
                heapq.heappush(self._heap, (-self._counts[made], made))


def split(text: str) -> list[str]:
    """The words of a text as byte-level BPE sees them, each byte as its letter of `byte_alphabet`. Merges stay inside a
    word; a space belongs to the word after it."""
    well_formed = text.encode("utf-8", "replace").decode()
    return [word for word, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(well_formed)]


# --- the merges of any BPE tokenizer ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A token as a tree: made of two, or a beginning."""

    id: int
    text: str
    rank: int | None
    """Which merge made it, from 0; None for what training began with."""
    parts: tuple[Node, ...] = ()


@dataclass(frozen=True)
class EncodingStep:
    """One state of a text while it is encoded: its tokens, and what the merge that led here put together."""

    ids: list[int]
    made: int | None
    """Place of the token made last; None before the first merge."""
    rank: int | None


class MergeTable:
    """The merges of a BPE tokenizer, by pair. Raises `ConfigError` for a tokenizer that does not work by merges."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        model = tokenizer.specification.get("model", {}) if isinstance(tokenizer, FastTokenizer) else {}
        if model.get("type") != "BPE":
            raise ConfigError(f"{tokenizer.name} does not cut by merges, so there is none to show.")
        self._tokenizer = tokenizer
        self._vocab: dict[str, int] = model["vocab"]
        self._made: dict[Pair, tuple[int, int]] = {}
        self._parts: dict[int, tuple[int, Pair]] = {}
        for rank, merge in enumerate(model["merges"]):
            left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
            pair, new = (self._vocab[left], self._vocab[right]), self._vocab[left + right]
            self._made.setdefault(pair, (rank, new))
            self._parts.setdefault(new, (rank, pair))

    def words(self, text: str) -> list[str]:
        """A text as the tokenizer cuts it before the first merge."""
        assert isinstance(self._tokenizer, FastTokenizer)
        return self._tokenizer.words(text)

    def tree(self, id: int) -> Node:
        """The merges that made a token, down to what training began with. Raises `ModelError` for an unknown id."""
        rank, pair = self._parts.get(id, (None, ()))
        return Node(id, self._tokenizer.token_text(id), rank, tuple(map(self.tree, pair)))

    def encode(self, word: Sequence[str]) -> list[EncodingStep]:
        """How a word (its letters as the vocabulary writes them) becomes tokens: every state, the last one final."""
        ids = [self._vocab[letter] for letter in word if letter in self._vocab]
        steps = [EncodingStep(ids, None, None)]
        while True:
            known = [(*self._made[pair], place) for place, pair in enumerate(pairwise(ids)) if pair in self._made]
            if not known:
                return steps
            rank, new, place = min(known)
            ids = [*ids[:place], new, *ids[place + 2 :]]
            steps.append(EncodingStep(ids, place, rank))
