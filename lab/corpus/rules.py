"""The table of rules: what each one measures, its threshold, where it comes from, and the orders the field uses.

A rule of the kind `drops` leaves a document out, one of the kind `cuts` leaves out lines of it, and one of the kind
`redacts` changes characters. Every threshold is that of FineWeb's code (huggingface/datatrove, `examples/fineweb.py`)
unless `source` names another; Gopher is Rae et al. 2021 (arXiv 2112.11446, table A1), C4 is Raffel et al. 2020
(arXiv 1910.10683), FineWeb is Penedo et al. 2024 (arXiv 2406.17557).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lab.errors import ConfigError

Kind = Literal["drops", "cuts", "redacts"]
When = Literal["<", "<=", ">", ">="]
COMPARE: dict[str, Callable[..., bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a document fails it when `value when threshold` is true, for instance `value > 0.3`."""

    name: str
    step: str
    says: str
    """What is measured, in plain words."""
    when: When
    threshold: float
    source: str
    kind: Kind = "drops"
    unit: str = ""
    note: str = ""

    def fails(self, value: float | None) -> bool:
        """Whether a value fails. What could not be measured does not."""
        return value is not None and not math.isnan(value) and COMPARE[self.when](value, self.threshold)

    def margin(self, value: float) -> float:
        """How far a value is on the good side of the threshold; negative for one that fails."""
        return self.threshold - value if self.when[0] == ">" else value - self.threshold


STEPS: dict[str, str] = {
    "read": "Read the page",
    "url": "Address",
    "extract": "Text from HTML",
    "language": "Language",
    "repetition": "Repetition (Gopher)",
    "quality": "Quality (Gopher)",
    "c4": "Lines and pages (C4)",
    "fineweb": "Lists and copies (FineWeb)",
    "duplicates": "Near-duplicates (MinHash)",
    "private": "Private data",
}
"""Step → its name on a page."""
MOVABLE = ("url", "language", "repetition", "quality", "c4", "fineweb", "duplicates")
"""Steps that can be put in another order. Reading and extraction come first, what is private is redacted last."""

_GOPHER, _C4, _FINEWEB, _NUDGE = "Gopher, table A1", "C4, §2.2", "FineWeb", "Nudge"
_TOP = ((2, 0.20), (3, 0.18), (4, 0.16))
_DUPLICATED = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))


def _table() -> Iterator[Rule]:
    yield Rule("unreadable", "read", "the page could not be read", ">", 0, _NUDGE)
    yield Rule("page_size", "read", "size of the page", ">", 10, _NUDGE, unit="MB")
    yield Rule(
        "url_domain",
        "url",
        "its site stands on the list of sites",
        ">",
        0,
        _FINEWEB,
        note="A short list of our own stands in for the field's, which is not for a classroom.",
    )
    yield Rule("url_word", "url", "banned words in the address", ">", 0, _FINEWEB)
    yield Rule("url_soft_words", "url", "suspicious words in the address", ">=", 2, _FINEWEB)
    yield Rule("no_text", "extract", "characters of text in the page", "<", 1, "trafilatura", unit="characters")
    yield Rule(
        "language",
        "language",
        "probability that it is in the wanted language",
        "<=",
        0.65,
        _FINEWEB,
        note="FineWeb asks fastText, we ask py3langid: the same threshold on another scale.",
    )
    yield Rule("repeated_paragraphs", "repetition", "share of paragraphs said before", ">", 0.30, _GOPHER)
    yield Rule("repeated_paragraph_characters", "repetition", "share of characters in them", ">", 0.20, _GOPHER)
    yield Rule("repeated_lines", "repetition", "share of lines said before", ">", 0.30, _GOPHER)
    yield Rule("repeated_line_characters", "repetition", "share of characters in them", ">", 0.20, _GOPHER)
    for n, share in _TOP:
        yield Rule(
            f"top_{n}_gram", "repetition", f"share of characters in the most frequent {n} words", ">", share, _GOPHER
        )
    for n, share in _DUPLICATED:
        yield Rule(
            f"repeated_{n}_grams", "repetition", f"share of characters in {n} words said before", ">", share, _GOPHER
        )
    yield Rule("too_few_words", "quality", "words", "<", 50, _GOPHER, unit="words")
    yield Rule("too_many_words", "quality", "words", ">", 100_000, _GOPHER, unit="words")
    yield Rule("short_words", "quality", "mean length of a word", "<", 3, _GOPHER, unit="characters")
    yield Rule("long_words", "quality", "mean length of a word", ">", 10, _GOPHER, unit="characters")
    yield Rule("hashes", "quality", "# per word", ">", 0.1, _GOPHER)
    yield Rule("ellipses", "quality", "… per word", ">", 0.1, _GOPHER)
    yield Rule("bullets", "quality", "share of lines that begin with a bullet", ">", 0.9, _GOPHER)
    yield Rule("ellipsis_lines", "quality", "share of lines that end with …", ">", 0.3, _GOPHER)
    yield Rule("words_with_letters", "quality", "share of words that have a letter", "<", 0.8, _GOPHER)
    yield Rule(
        "stop_words",
        "quality",
        "different words of: the be to of and that have with",
        "<",
        2,
        _GOPHER,
        note="datatrove logs this as gopher_enough_stop_words, which reads the wrong way round.",
    )
    yield Rule(
        "long_word_lines", "c4", "lines with a word longer than this", ">", 1000, "C4, code", "cuts", "characters"
    )
    yield Rule(
        "unfinished_lines",
        "c4",
        "lines that do not end with . ! ? or a quote",
        ">",
        0,
        _C4,
        "cuts",
        note="Off in FineWeb: alone it removes about 30 % of the tokens.",
    )
    yield Rule("short_lines", "c4", "lines with fewer words than this", "<", 3, _C4, "cuts", "words")
    yield Rule("javascript_lines", "c4", "lines that speak of JavaScript", ">", 0, _C4, "cuts")
    yield Rule("policy_lines", "c4", "lines about cookies, privacy, terms of use", ">", 0, "C4, code", "cuts")
    yield Rule("lorem_ipsum", "c4", "lines with “lorem ipsum”", ">", 0, _C4)
    yield Rule("curly_bracket", "c4", "lines with {", ">", 0, _C4)
    yield Rule("too_few_sentences", "c4", "sentences", "<", 5, _C4, unit="sentences")
    yield Rule("unpunctuated_lines", "fineweb", "share of lines that end like a sentence", "<", 0.12, _FINEWEB)
    yield Rule("short_line_share", "fineweb", "share of lines of 30 characters or fewer", ">", 0.67, _FINEWEB)
    yield Rule(
        "copied_characters",
        "fineweb",
        "share of characters in lines said before",
        ">",
        0.01,
        _FINEWEB,
        note="The code has 0.01, the paper's text 0.1.",
    )
    yield Rule("list_like", "fineweb", "line breaks per word", ">", 0.3, "FineWeb, code")
    yield Rule(
        "near_duplicate",
        "duplicates",
        "buckets shared with an earlier document",
        ">=",
        1,
        _FINEWEB,
        unit="of 14 buckets",
    )
    yield Rule("mail_addresses", "private", "e-mail addresses", ">", 0, _FINEWEB, "redacts")
    yield Rule("public_ips", "private", "public IP addresses", ">", 0, _FINEWEB, "redacts")


class Rules:
    """Rules in the order in which their steps are taken. Iterating gives the rules; `rules["language"]` one of them."""

    def __init__(self, rules: Iterable[Rule], order: Iterable[str] | None = None) -> None:
        given = list(rules)
        wanted = list(dict.fromkeys(order if order is not None else (rule.step for rule in given)))
        unknown = [step for step in [*wanted, *(rule.step for rule in given)] if step not in STEPS]
        if unknown:
            raise ConfigError(f"There is no step {unknown[0]!r}. There are: {', '.join(STEPS)}.", "order")
        movable = [step for step in wanted if step in MOVABLE]
        late = "extract" in wanted and "url" in wanted and wanted.index("extract") < wanted.index("url")
        before = [] if late else [step for step in movable if step == "url"]  # only an address can be judged unread
        self.order = ("read", *before, "extract", *(step for step in movable if step not in before), "private")
        """The steps, from the first to the last."""
        place = {step: number for number, step in enumerate(self.order)}
        self._rules = {rule.name: rule for rule in sorted(given, key=lambda rule: place[rule.step])}

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def __getitem__(self, name: str) -> Rule:
        try:
            return self._rules[name]
        except KeyError:
            raise ConfigError(f"There is no rule {name!r}. There are: {', '.join(self._rules)}.", "rules") from None

    def with_thresholds(self, **thresholds: float) -> Rules:
        """The same with other thresholds, by the names of the rules."""
        changed = {name: replace(self[name], threshold=value) for name, value in thresholds.items()}
        return Rules([changed.get(rule.name, rule) for rule in self], self.order)

    def without(self, *names: str) -> Rules:
        """The same without some rules."""
        gone = {self[name].name for name in names}
        return Rules([rule for rule in self if rule.name not in gone], self.order)

    def in_order(self, order: Iterable[str]) -> Rules:
        """The same with its steps in another order; steps that `order` does not name come after those it does."""
        named = list(order)
        return Rules(self, [*named, *(step for step in self.order if step not in named)])


ALL = Rules(_table(), ("url", "extract", "language", "repetition", "quality", "c4", "fineweb", "duplicates"))
"""Every rule there is, also the one that FineWeb leaves off."""
RULES = ALL.without("unfinished_lines")
"""The rules as FineWeb's code has them, in its order."""
PRESETS: dict[str, Rules] = {
    "code": RULES,
    "paper": RULES.in_order(
        ("extract", "url", "language", "quality", "repetition", "duplicates", "c4", "fineweb")
    ).with_thresholds(copied_characters=0.1),
    "talk": RULES.in_order(("url", "extract", "language", "repetition", "quality", "duplicates", "c4", "fineweb")),
}
"""The order of FineWeb's code, of its paper (§3.7), and of the figure in the talk."""
DIFFERENCES = {
    "code": "The cheap custom rules come before near-duplicates are looked for.",
    "paper": "Near-duplicates go before C4's rules; lines said before may be 10 % of the text, not 1 %. "
    "Its list of steps does not name private data.",
    "talk": "Near-duplicates go after Gopher's rules and before C4's; private data last.",
}
"""What is particular about each preset."""
