"""Everything the rules want to know of one page, measured at once, whether an earlier rule has dropped it or not.

C4's step changes the text, so the rules on text are measured twice where it did: on what was extracted, and on what C4
left. Which of the two counts is decided by the order of the steps, later and without measuring again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.corpus.address import LISTS, AddressLists, matches, measure_address
from lab.corpus.c4 import cut_lines
from lab.corpus.extract import decoded, text_of
from lab.corpus.language import measure_language
from lab.corpus.near_duplicates import buckets_of, shingles
from lab.corpus.page import Page
from lab.corpus.quality import measure_lists, measure_quality
from lab.corpus.redact import redact
from lab.corpus.repetition import measure_repetition
from lab.corpus.rules import Rules
from lab.corpus.words import Text

ON_TEXT = ("language", "repetition", "quality", "fineweb", "duplicates")
"""Steps whose values depend on whether C4 has cut lines before."""


@dataclass
class Measured:
    """What was found. `values` has the rule's name → value for the text as extracted, `after` the same after C4's
    step; what could not be measured is missing. `buckets` are those of both texts."""

    text: str = ""
    cut_text: str = ""
    cut: dict[int, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    buckets: tuple[list[int], list[int]] = ((), ())  # type: ignore[assignment]
    languages: list[tuple[str, float]] = field(default_factory=list)
    address: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "cut": {str(number): rule for number, rule in self.cut.items()}
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Measured:
        """From `to_json()`'s values."""
        return cls(**values | {"cut": {int(number): rule for number, rule in values["cut"].items()}})


def measure(page: Page, rules: Rules, language: str = "en", lists: AddressLists = LISTS) -> Measured:
    """Measure a page by every rule there is."""
    found = Measured(problem=page.problem)
    found.values = {"unreadable": float(bool(page.problem)), "page_size": page.size / 1e6}
    found.values |= measure_address(page.url, lists)
    found.address = {name: words for name, words in matches(page.url, lists).items() if words}
    too_large = "page_size" in rules and rules["page_size"].fails(found.values["page_size"])
    if not page.problem and not too_large:
        found.text = extracted(page)
        found.values["no_text"] = float(len(found.text))
    if found.text:
        _measure_text(found, rules, language)
    return found


def extracted(page: Page) -> str:
    """The text of a page."""
    if page.html is None:
        return page.text.strip()
    html = decoded(page.html) if isinstance(page.html, bytes) else page.html
    return text_of(html) if html.strip() else ""


def _measure_text(found: Measured, rules: Rules, language: str) -> None:
    cut = cut_lines(found.text, rules)
    found.cut_text, found.cut = cut.text, cut.cut
    values, found.languages, first = text_values(found.text, language)
    found.values |= cut.values | values | redact(found.text).values()
    if cut.text == found.text:
        found.after, found.buckets = values, (first, first)
    elif cut.text:
        found.after, _, second = text_values(cut.text, language)
        found.buckets = (first, second)
    else:
        found.buckets = (first, [])


def text_values(text: str, language: str) -> tuple[dict[str, float], list[tuple[str, float]], list[int]]:
    """The values of the rules in `ON_TEXT`, the likeliest languages, and the buckets of a text."""
    parts = Text(text)
    share, likeliest = measure_language(text, language)
    values = {"language": share} | measure_repetition(parts) | measure_quality(parts) | measure_lists(parts)
    return values, likeliest, buckets_of(shingles(text)).tolist()
