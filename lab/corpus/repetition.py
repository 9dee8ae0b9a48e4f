"""Gopher's rules on repetition (Rae et al. 2021, arXiv 2112.11446, table A1): text that says the same again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lab.corpus.words import Text


def measure_repetition(text: Text) -> dict[str, float]:
    """Rule → value, of a text that is not empty. Shares of characters are of the whole text, as in the paper."""
    whole = len(text.text)
    paragraphs, paragraph_characters = said_before(text.paragraphs)
    lines, line_characters = said_before(text.lines)
    values = {
        "repeated_paragraphs": paragraphs / len(text.paragraphs),
        "repeated_paragraph_characters": paragraph_characters / whole,
        "repeated_lines": lines / len(text.lines),
        "repeated_line_characters": line_characters / whole,
    }
    tokens = text.tokens
    for n in (2, 3, 4):
        values[f"top_{n}_gram"] = most_frequent(tokens, n) / whole
    for n in range(5, 11):
        values[f"repeated_{n}_grams"] = repeated(tokens, n) / whole
    return values


def said_before(parts: Iterable[str]) -> tuple[int, int]:
    """How many parts were said before, and their characters."""
    seen: set[str] = set()
    count = characters = 0
    for part in parts:
        if part in seen:
            count += 1
            characters += len(part)
        seen.add(part)
    return count, characters


def most_frequent(tokens: Sequence[str], n: int) -> int:
    """Characters of the most frequent run of `n` tokens, as often as it occurs (spaces between its tokens counted)."""
    runs = Counter(zip(*(tokens[start:] for start in range(n))))
    if not runs:
        return 0
    run, times = runs.most_common(1)[0]
    return (sum(map(len, run)) + n - 1) * times


def repeated(tokens: Sequence[str], n: int) -> int:
    """Characters in runs of `n` tokens that occurred before; one that is counted is stepped over as a whole."""
    seen: set[tuple[str, ...]] = set()
    runs = list(zip(*(tokens[start:] for start in range(n))))
    characters = place = 0
    while place < len(runs):
        run = runs[place]
        if run in seen:
            characters += sum(map(len, run))
            place += n
        else:
            seen.add(run)
            place += 1
    return characters
