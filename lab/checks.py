"""Rewards that need no model: whether a text holds the right answer, has a form, keeps to a length.

The final answer of a text is what stands in its last `\\boxed{…}`, else after its last `####`, else after the last
"answer is", else the last number in it (Cobbe et al. 2021, arXiv:2110.14168, write `####`; Hendrycks et al. 2021,
arXiv:2103.03874, `\\boxed`). Two answers are the same when `canonical_answer` says so: 1,234 is $1234.00.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lab.problem import canonical_answer, number_in

_AFTER = re.compile(r"(?:####|\banswer\s*(?:is|:)|\banswer\s*=)[ \t]*:?[ \t]*", re.IGNORECASE)
_END = re.compile(r"\n|[.!?](?=\s|$)|<\|")
_NUMBER = re.compile(
    r"(?<![\w.,])[-+−–]?[$€£¥]?[ ]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:[ ]?/[ ]?\d+)?(?:[ ]?%)?"
)
_DRESSED = re.compile(r"^(?:\*\*|\$+|\\\(|\\text\{)+|(?:\*\*|\$+|\\\)|\})+$")
_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")


def exact_answer(text: str, answer: str) -> float:
    """1 when the final answer of a text is `answer`, else 0. Without an answer to compare with, 0."""
    if not answer.strip():
        return 0.0
    return float(same_answer(final_answer(text, wants_number=number_in(answer) is not None), answer))


def same_answer(one: str, other: str) -> bool:
    """Whether two answers are the same number, or the same words but for case and the point at the end."""
    one, other = canonical_answer(one), canonical_answer(other)
    return one == other or _plain(one) == _plain(other) != ""


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def final_answer(text: str, *, wants_number: bool = True) -> str:
    """The part of a text that is its final answer; "" when there is none. With `wants_number` it is a number."""
    part = _boxed(text)
    if part is None:
        marks = list(_AFTER.finditer(text))
        if marks:
            part = _END.split(text[marks[-1].end() :], maxsplit=1)[0]
    if part is None:
        return _last_number(text) if wants_number else ""
    part = _DRESSED.sub("", _FRACTION.sub(r"\1/\2", part).strip()).strip()
    if not wants_number or number_in(part) is not None:
        return part
    return _last_number(part)


def _boxed(text: str) -> str | None:
    """What the last `\\boxed{…}` holds, braces inside it kept; None without one that is closed."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, first = 0, start + len("\\boxed{")
    for place in range(first, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth < 0:
            return text[first:place]
    return None


def _last_number(text: str) -> str:
    """The last number in a text, as it is written; after an equals sign that alone ("3 × 4 = 12")."""
    found = [match[0].strip() for match in _NUMBER.finditer(text.rpartition("=")[2])] or [
        match[0].strip() for match in _NUMBER.finditer(text)
    ]
    found = [number for number in found if number_in(number) is not None]
    return found[-1] if found else ""


def matches(text: str, pattern: str) -> float:
    """1 when the whole text, white space around it aside, has the form of a regular expression, else 0. Raises
    `re.error` for a pattern that is none."""
    return float(_compiled(pattern).fullmatch(text.strip()) is not None)


def contains(text: str, pattern: str) -> float:
    """1 when a regular expression is found in the text, else 0. Raises `re.error` for a pattern that is none."""
    return float(_compiled(pattern).search(text) is not None)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def length_within(text: str, words: int) -> float:
    """1 for a text of at most so many words, falling along a line to 0 at twice as many."""
    return max(0.0, min(1.0, 2 - len(text.split()) / max(1, words)))
