"""Questions one can put to a tokenizer: how long a text is on each rung, where two tokenizers cut differently, and what
is in a vocabulary. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from lab.errors import ConfigError, ModelError
from lab.tokenizer import Token, Tokenizer

LARGEST = 500_000
"""Entries of a vocabulary that are gone through one by one."""


@dataclass(frozen=True)
class Lengths:
    """How many symbols one text has on each rung of the ladder from bits to tokens."""

    code_points: int
    bytes: int
    tokens: int
    words: int

    @property
    def bits(self) -> int:
        """Eight to a byte."""
        return 8 * self.bytes

    @property
    def bytes_per_token(self) -> float:
        """How much text one token carries on average; 0 for no text."""
        return self.bytes / self.tokens if self.tokens else 0.0

    @property
    def tokens_per_word(self) -> float:
        """How many tokens a word costs on average (words are what stands between spaces); 0 without a word."""
        return self.tokens / self.words if self.words else 0.0


def lengths(text: str, tokens: int) -> Lengths:
    """The lengths of `text`, which a tokenizer cut into `tokens`."""
    return Lengths(len(text), len(text.encode("utf-8", "surrogatepass")), tokens, len(text.split()))


@dataclass(frozen=True)
class Segment:
    """A stretch of text that begins and ends at a cut of both tokenizers: which tokens of each lie in it."""

    first: range
    second: range

    @property
    def same(self) -> bool:
        """Whether both made one token of it."""
        return len(self.first) == len(self.second) == 1


def segments(first: Sequence[Token], second: Sequence[Token]) -> list[Segment]:
    """The text cut wherever both tokenizers cut, so that what lies inside a segment is where they differ.

    Cuts are counted in bytes, since a token may end inside a character. Raises `ConfigError` when the tokenizers do not
    see the same bytes (one of them rewrites the text, to lower case for example).
    """
    if b"".join(token.bytes for token in first) != b"".join(token.bytes for token in second):
        raise ConfigError(
            "One of these tokenizers rewrites the text before it cuts it, so their cuts cannot be compared."
        )
    ends = [list(accumulate(len(token.bytes) for token in tokens)) for tokens in (first, second)]
    return list(_between(ends[0], ends[1]))


def _between(first: list[int], second: list[int]) -> Iterator[Segment]:
    a = b = from_a = from_b = 0
    while a < len(first) and b < len(second):
        if first[a] < second[b]:
            a += 1
        elif first[a] > second[b]:
            b += 1
        else:
            a, b = a + 1, b + 1
            yield Segment(range(from_a, a), range(from_b, b))
            from_a, from_b = a, b


@dataclass(frozen=True)
class Found:
    """What a search in a vocabulary found: (id, bytes) of the shortest ones, and how many there are."""

    tokens: list[tuple[int, bytes]]
    total: int


def search(tokenizer: Tokenizer, query: str, by: Literal["text", "regex", "id"] = "text", limit: int = 200) -> Found:
    """Tokens of a vocabulary that contain a text, match a regular expression, or have an id.

    Raises `ConfigError` when `query` is no regular expression or no id of this vocabulary.
    """
    if not query:
        return Found([], 0)
    if by == "id":
        return _by_id(tokenizer, query)
    matches = _matcher(query, by)
    return limited(((id, piece) for id, piece in _vocabulary(tokenizer) if matches(piece)), limit)


def limited(tokens: Iterable[tuple[int, bytes]], limit: int = 200) -> Found:
    """The shortest of these tokens, and how many there are."""
    found = sorted(tokens, key=lambda each: (len(each[1]), each[0]))
    return Found(found[:limit], len(found))


def _by_id(tokenizer: Tokenizer, query: str) -> Found:
    try:
        id = int(query)
    except ValueError:
        raise ConfigError(f"{query!r} is not an id: an id is a whole number.") from None
    piece = _bytes_or_none(tokenizer, id)
    if piece is None:
        raise ConfigError(f"There is no token {id}: {tokenizer.name} has ids from 0 to {tokenizer.vocab_size - 1:,}.")
    return Found([(id, piece)], 1)


def _matcher(query: str, by: str) -> Callable[[bytes], bool]:
    if by == "text":
        wanted = query.encode("utf-8", "surrogatepass")
        return lambda piece: wanted in piece
    try:
        pattern = re.compile(query)
    except re.error as error:
        raise ConfigError(f"{query!r} is not a regular expression: {error}.") from error
    return lambda piece: pattern.search(piece.decode("utf-8", "replace")) is not None


def _bytes_or_none(tokenizer: Tokenizer, id: int) -> bytes | None:
    try:
        return tokenizer.token_bytes(id)
    except ModelError:
        return None


@dataclass(frozen=True)
class Letter:
    """A letter as a reader sees it: its number in the text (from 1), the token it lies in, whether it is looked for."""

    text: str
    number: int
    token: int
    wanted: bool


def spelled(text: str, tokens: Sequence[Token], wanted: str = "", every: int = 0) -> list[Letter]:
    """The letters of a text with the tokens that hide them; looked for are those equal to `wanted` (capitals aside), or
    every `every`-th one. A letter in several tokens lies in the first of them."""
    holder: dict[int, int] = {}
    for place, token in enumerate(tokens):
        for position in range(token.start, token.end):
            holder.setdefault(position, place)
    found = []
    for place, letter in enumerate(text):
        hit = letter.casefold() == wanted.casefold() if wanted else bool(every) and (place + 1) % every == 0
        found.append(Letter(letter, place + 1, holder.get(place, 0), hit))
    return found


def unreachable(tokenizer: Tokenizer) -> Iterator[tuple[int, bytes]]:
    """Tokens that no text turns into: their own text, encoded, gives others. Special ones and parts of characters,
    which no text alone can be, are left out."""
    special = set(tokenizer.special_tokens.values())
    for id, piece in _vocabulary(tokenizer):
        if id in special or not piece:
            continue
        try:
            text = piece.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if tokenizer.ids(text) != [id]:
            yield id, piece


def unseen(tokenizer: Tokenizer, text: str) -> Iterator[tuple[int, bytes]]:
    """Tokens of a vocabulary that do not come in a text."""
    seen = set(tokenizer.ids(text))
    return ((id, piece) for id, piece in _vocabulary(tokenizer) if id not in seen)


def _vocabulary(tokenizer: Tokenizer) -> Iterator[tuple[int, bytes]]:
    """Every token with its bytes. Raises `ConfigError` for a vocabulary that is all of Unicode."""
    if tokenizer.vocab_size > LARGEST:
        raise ConfigError("Every character of Unicode is a token here; there is nothing to search.")
    for id in range(tokenizer.vocab_size):
        piece = _bytes_or_none(tokenizer, id)
        if piece is not None:
            yield id, piece
