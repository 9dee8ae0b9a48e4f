"""Cleaning pages: measure each one once, then decide. `clean` is the whole of it; `Cleaning` is the same in steps that
can be watched, stopped and gone on with.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from lab.corpus.child import SECONDS, Measuring
from lab.corpus.decide import Decision, decide, funnel
from lab.corpus.measure import measure
from lab.corpus.page import Page, pages_of
from lab.corpus.passport import passport
from lab.corpus.redact import redact
from lab.corpus.rules import RULES, Rule, Rules
from lab.corpus.store import MeasuredPages

_FLUSH = 200


@dataclass(frozen=True)
class CleanDocument:
    """A document that stays: its text after C4's lines and what is private were taken out. `measurements`: rule →
    value; `redactions`: (start, end, what stood there, rule)."""

    id: str
    url: str
    text: str
    measurements: dict[str, float]
    redactions: tuple[tuple[int, int, str, str], ...] = ()


@dataclass(frozen=True)
class DroppedDocument:
    """A document that was left out: `reason` is the name of the first rule it failed, `also` of those it would have
    failed later; `like` the id of the document that it is a near-duplicate of."""

    id: str
    url: str
    text: str
    reason: str
    measurements: dict[str, float]
    also: tuple[str, ...] = ()
    like: str = ""
    problem: str = ""


class Documents(Sequence[Any]):
    """The documents of a result, read from disk when they are looked at."""

    def __init__(self, result: Result, numbers: np.ndarray) -> None:
        self._result = result
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._result.document(int(number)) for number in self.numbers[index]]
        return self._result.document(int(self.numbers[index]))

    def __iter__(self) -> Iterator[Any]:
        wanted = iter(self.numbers.tolist())
        following = next(wanted, None)
        for number, row in enumerate(self._result.pages.lines()):
            if number == following:
                yield self._result.document(number, row)
                following = next(wanted, None)


class Result:
    """What the rules made of measured pages; `with_rules` decides anew without measuring."""

    def __init__(self, pages: MeasuredPages, rules: Rules, keep_alive: Any = None, like: Result | None = None) -> None:
        """`keep_alive` goes when the result goes; the measurements are those of `like`, where one is given."""
        self.pages, self.rules = pages, rules
        self._keep_alive = keep_alive
        count = len(pages) if like is None else len(like)  # more may be written meanwhile
        self.values: np.ndarray = (pages.values() if like is None else like.values)[:count]
        self.buckets: np.ndarray = (pages.buckets() if like is None else like.buckets)[:count]
        self.tokens: np.ndarray = (pages.tokens() if like is None else like.tokens)[:count]
        self.decision: Decision = decide(self.values, self.buckets, rules)
        self.kept = Documents(self, np.flatnonzero(self.decision.kept))
        self.dropped = Documents(self, np.flatnonzero(~self.decision.kept))

    def __len__(self) -> int:
        return len(self.values)

    def with_rules(self, rules: Rules) -> Result:
        """The same pages under other thresholds or in another order."""
        return Result(self.pages, rules, self._keep_alive, self)

    @property
    def funnel(self) -> list[dict[str, Any]]:
        """Each step with what came in and what went on, in documents and tokens."""
        return funnel(self.decision, self.tokens, self.rules)

    @property
    def counts(self) -> dict[str, int]:
        """Rule → how many documents it is to blame for."""
        return {name: count for name, count in self.decision.by_rule().items() if count}

    def document(self, number: int, row: dict[str, Any] | None = None) -> CleanDocument | DroppedDocument:
        """One document by its place."""
        row = self.pages[number] if row is None else row
        decision = self.decision
        names = zip(decision.names, decision.values[number].tolist())
        measurements = {name: value for name, value in names if not np.isnan(value)}
        blamed = int(decision.blamed[number])
        if blamed >= 0:
            failed = [decision.names[place] for place in np.flatnonzero(decision.fails[number])]
            like = int(decision.like[number])
            other = self.pages[like]["id"] if like != number else ""
            also = tuple(failed[1:])
            reason = decision.names[blamed]
            return DroppedDocument(
                row["id"], row["url"], row["text"], reason, measurements, also, other, row["problem"]
            )
        cleaned = redact(self._cut(row), frozenset(rule.name for rule in self.rules if rule.kind == "redacts"))
        return CleanDocument(row["id"], row["url"], cleaned.text, measurements | cleaned.values(), cleaned.spans)

    def _cut(self, row: dict[str, Any]) -> str:
        cut = "c4" in {rule.step for rule in self.rules} and row["cut_text"] is not None
        return row["cut_text"] if cut else row["text"]

    def passport(self, number: int) -> list[dict[str, Any]]:
        """Every rule with value, threshold and margin; see `lab.corpus.passport`."""
        return passport(self.rules, self.decision, number, self.pages[number])


@dataclass(frozen=True)
class Progress:
    """How far cleaning has come."""

    pages: int
    unreadable: int


@dataclass
class Cleaning:
    """Measures pages into a folder, page by page. Begun again over the same pages, it goes on where it stopped.

    `tokens` counts those of a text; `isolated` measures in a child process with a time limit for each page.
    """

    folder: Path
    rules: Rules = field(default_factory=lambda: RULES)
    language: str = "en"
    seconds: float = SECONDS
    isolated: bool = True
    tokens: Callable[[str], int] | None = None

    def run(
        self,
        pages: Iterable[Any],
        watch: Callable[[Progress], None] | None = None,
        stopped: Callable[[], bool] | None = None,
        store: MeasuredPages | None = None,
    ) -> MeasuredPages:
        """Measure; `watch` is told now and then, and when `stopped()` is true what is measured so far is kept. Another
        thread can look at a `store` that it opened itself meanwhile."""
        store = MeasuredPages(self.folder, self.tokens) if store is None else store
        unreadable, child = 0, Measuring(self.rules, self.language, self.seconds)
        try:
            for page in itertools.islice(pages_of(pages), len(store), None):
                if stopped is not None and stopped():
                    break
                found = child.measure(page) if self.isolated else measure(page, self.rules, self.language)
                unreadable += bool(found.problem)
                store.append(page, found)
                if len(store) % _FLUSH == 0 or watch is not None:
                    store.flush()
                if watch is not None:
                    watch(Progress(len(store), unreadable))
        finally:
            child.close()
            store.close()
        return store


def clean(
    pages: Iterable[Any],
    rules: Rules | Iterable[Rule] = RULES,
    *,
    language: str = "en",
    folder: Path | str | None = None,
    isolated: bool = True,
    tokens: Callable[[str], int] | None = None,
    watch: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Result:
    """From pages to clean documents.

    Args:
        pages: `Page`s, pages of the world, rows with `html` or `text`, or texts; see `lab.corpus.sources` for files.
        rules: which rules, at which thresholds, in which order: `RULES`, one of `PRESETS`, or a list of rules.
        language: the one that is kept (ISO 639 code).
        folder: where measurements are kept, so that a stopped run can go on; a temporary one when None.
        isolated: measure in a child process, with a limit of time and memory for each page.
        tokens: counts the tokens of a text, for the funnel; words without it.
        watch, stopped: see `Cleaning.run`.

    Returns:
        `kept` (`CleanDocument`) and `dropped` (`DroppedDocument`): together every page that came in, once.
    """
    chosen = rules if isinstance(rules, Rules) else Rules(rules)
    temporary = None if folder is not None else tempfile.TemporaryDirectory(prefix="nudge-corpus-")
    place = Path(folder) if folder is not None else Path(temporary.name if temporary else "")
    cleaning = Cleaning(place, chosen, language, isolated=isolated, tokens=tokens)
    return Result(cleaning.run(pages, watch, stopped), chosen, temporary)


__all__ = ["CleanDocument", "Cleaning", "DroppedDocument", "Page", "Progress", "Result", "clean"]
