"""A text as words, lines, paragraphs and sentences: what the rules count.

datatrove splits words with spaCy's English tokenizer. Here one expression does nearly the same: a run of letters and
digits is a word, "don't" is two and "well-known" three tokens, and every sign is one of its own.
"""

from __future__ import annotations

import re
from functools import cached_property

_WORDS = re.compile(
    r"\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b|\d+(?:[.,:/]+\d+)*|(?:\b[A-Za-z]\.){2,}|\w+(?:[.@]\w+)*|\.\.\.|[^\w\s]"
)
_LINES = re.compile(r"\n+")
_PARAGRAPHS = re.compile(r"\n{2,}")
_SENTENCES = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)")
_LETTER = re.compile(r"[^\W\d_]")


class Text:
    """A text with its parts, each worked out once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def tokens(self) -> list[str]:
        """Words and signs."""
        return _WORDS.findall(self.text)

    @cached_property
    def words(self) -> list[str]:
        """Tokens that are not a sign alone."""
        return [token for token in self.tokens if token[0].isalnum() or (len(token) > 1 and token != "...")]

    @cached_property
    def lines(self) -> list[str]:
        """What stands between line breaks; empty lines do not count."""
        return _LINES.split(self.text.strip("\n"))

    @cached_property
    def paragraphs(self) -> list[str]:
        """What stands between empty lines."""
        return _PARAGRAPHS.split(self.text.strip())

    @cached_property
    def lettered(self) -> int:
        """How many words have a letter."""
        return sum(_LETTER.search(word) is not None for word in self.words)


def sentences(line: str) -> int:
    """How many sentences a line has: ends of sentences, and a rest that has none."""
    ends = [match.end() for match in _SENTENCES.finditer(line)]
    rest = line[ends[-1] if ends else 0 :].strip()
    return len(ends) + bool(rest)
