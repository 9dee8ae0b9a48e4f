"""Gopher's rules on quality, and FineWeb's own: length, words, symbols, lists, lines that end like sentences.

Gopher: Rae et al. 2021 (arXiv 2112.11446, §A.1.1). FineWeb: Penedo et al. 2024 (arXiv 2406.17557, §3.6).
"""

from __future__ import annotations

from lab.corpus.repetition import said_before
from lab.corpus.words import Text

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
ENDS = tuple(".!?‽⁇⁈⁉。！？؟۔।።")
"""What ends a sentence: the common ones of datatrove's list, which has no quotes."""
SHORT_LINE = 30
"""Characters of a line that FineWeb calls short."""


def measure_quality(text: Text) -> dict[str, float]:
    """Gopher's rule → value, of a text that is not empty."""
    words, lines = text.words, text.text.splitlines()
    tokens, count = len(text.tokens) or 1, len(words)
    mean = sum(map(len, words)) / count if count else 0.0
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    trailing = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    return {
        "too_few_words": count,
        "too_many_words": count,
        "short_words": mean,
        "long_words": mean,
        "hashes": text.text.count("#") / tokens,
        "ellipses": (text.text.count("...") + text.text.count("…")) / tokens,
        "bullets": bullets / len(lines),
        "ellipsis_lines": trailing / len(lines),
        "words_with_letters": text.lettered / tokens,
        "stop_words": len(STOP_WORDS.intersection(words)),
    }


def measure_lists(text: Text) -> dict[str, float]:
    """FineWeb's rule → value, of a text that is not empty."""
    lines = [line for line in text.text.split("\n") if line.strip()] or [""]
    characters = len(text.text.replace("\n", "")) or 1
    return {
        "unpunctuated_lines": sum(line.endswith(ENDS) for line in lines) / len(lines),
        "short_line_share": sum(len(line) <= SHORT_LINE for line in lines) / len(lines),
        "copied_characters": said_before(lines)[1] / characters,
        "list_like": text.text.count("\n") / (len(text.tokens) or 1),
    }
