"""C4's rules (Raffel et al. 2020, arXiv 1910.10683, §2.2): lines that are no text go, and pages with too little left.

The only step before redaction that changes the text: what comes after it reads what it left.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from lab.corpus.rules import Rules
from lab.corpus.words import sentences

_CITATIONS = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_ENDS = (".", "?", "!", '"', "'")
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


@dataclass
class Cut:
    """What C4's rules made of a text: the text, a reason for each line that went (line number → rule), the values."""

    text: str
    cut: dict[int, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


def cut_lines(text: str, rules: Rules) -> Cut:
    """Go through a text line by line. Which line rules are used, and at which threshold, is in `rules`."""
    kept: list[str] = []
    cut: dict[int, str] = {}
    found: Counter[str] = Counter()
    count = 0
    for number, raw in enumerate(text.splitlines()):
        line = _CITATIONS.sub("", raw.strip())
        reason = _fault(raw.split(), line, rules)
        if reason not in ("long_word_lines", "unfinished_lines", "short_lines"):  # the order of datatrove's filter
            found["lorem_ipsum"] += "lorem ipsum" in line.lower()
            found["curly_bracket"] += "{" in line and reason != "javascript_lines"
        if reason:
            cut[number] = reason
            found[reason] += 1
            continue
        count += sentences(line)
        kept.append(line)
    names = [rule.name for rule in rules if rule.step == "c4" and rule.name != "too_few_sentences"]
    values = {name: float(found[name]) for name in names} | {"too_few_sentences": float(count)}
    return Cut("\n".join(kept).strip(), cut, values)


def _fault(words: list[str], line: str, rules: Rules) -> str:
    """The line rule that this line fails, the first one, or nothing."""
    small = line.lower()
    tests = (
        ("long_word_lines", lambda limit: any(len(word) > limit for word in words)),
        ("unfinished_lines", lambda limit: not line.endswith(_ENDS) or line.endswith("...")),
        ("short_lines", lambda limit: len(words) < limit),
        ("javascript_lines", lambda limit: "javascript" in small),
        ("policy_lines", lambda limit: any(policy in small for policy in POLICIES)),
    )
    return next((name for name, test in tests if name in rules and test(rules[name].threshold)), "")
