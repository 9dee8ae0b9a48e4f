"""A problem: a question whose answer can be checked. Reinforcement learning from checks learns from these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Self

from lab.conversation import content_key
from lab.errors import DataError

_NUMBER = re.compile(
    r"""[\s$€£¥]*(?P<sign>[-+−–]?)[\s$€£¥]*
        (?P<whole>\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)?(?P<part>\.\d+)?
        (?:\s*/\s*(?P<below>\d+))?
        \s*(?:%|\([^()]*\)|[A-Za-z°²³/\s]*)\s*\.?\s*""",
    re.VERBOSE,
)
_LONGEST_NUMBER = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """A question and its final answer, in the form of `canonical_answer`; a worked solution when the file has one."""

    question: str
    answer: str
    solution: str = ""
    category: str = ""
    row: int | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The problem as JSON values; what is empty is left out."""
        values: dict[str, Any] = {"question": self.question, "answer": self.answer}
        values |= {name: getattr(self, name) for name in ("solution", "category") if getattr(self, name)}
        return values | ({} if self.row is None else {"row": self.row})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The problem from `to_json()`'s values. Raises `DataError` when they are not one."""
        texts = {name: values.get(name, "") for name in ("question", "answer", "solution", "category")}
        if not all(isinstance(text, str) for text in texts.values()) or not texts["question"] or not texts["answer"]:
            raise DataError("A problem needs a `question` and an `answer`, both text.")
        return cls(**texts, row=values.get("row"))

    def key(self) -> str:
        """A hash of question and answer, the same wherever the problem stands."""
        return content_key([self.question, self.answer])


def number_in(text: str) -> Fraction | None:
    """The number that `text` is, or None: `51.0`, `1,234`, `-7`, `$18`, `3/4`, `9 (apples)`, `12 km`."""
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if match is None or not (match["whole"] or match["part"]):
        return None
    below = int(match["below"] or 1)
    if below == 0:
        return None
    digits = re.sub(r"\D", "", match["whole"] or "0") + (match["part"] or "")
    return Fraction(digits) / below * (-1 if match["sign"] in ("-", "−", "–") else 1)


def canonical_answer(text: str) -> str:
    """One form for one answer: whole numbers without a point, others as a short decimal where there is one, else as a
    fraction; what is no number without white space at its ends. `51.0` → `51`, `1,234` → `1234`, `0.50` → `0.5`."""
    number = number_in(text)
    if number is None:
        return text.strip()
    if number.denominator == 1:
        return str(number.numerator)
    below, places = number.denominator, 0
    while below % 10 == 0 or below % 5 == 0 or below % 2 == 0:
        below = below // 10 if below % 10 == 0 else below // 5 if below % 5 == 0 else below // 2
        places += 1
    if below != 1 or places > 12:
        return f"{number.numerator}/{number.denominator}"
    shifted = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    return ("-" if number < 0 else "") + f"{shifted[:-places]}.{shifted[-places:]}".rstrip("0")
