"""What an import says of a file: how many rows were taken, and of every row not taken its number, reason and fix."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, overload

from lab import notebook
from lab.errors import DataError


class ImportCancelledError(DataError):
    """The person stopped the import; nothing of it is left."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was not taken. `row` counts from 1: the line of the file where it has lines. `fix` says what to do;
    `fixable` says that Nudge can do it; `code` is the same for problems of the same kind."""

    row: int
    reason: str
    fix: str
    fixable: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class RowFix:
    """A row that was taken after something in it was put right."""

    row: int
    what: str


class RowProblems(Sequence[RowProblem]):
    """A list of problems that stays small when there are a million of them: their texts are kept once."""

    def __init__(self) -> None:
        self._rows = array("Q")
        self._which = array("L")
        self._texts: list[tuple[str, str, bool, str]] = []
        self._numbers: dict[tuple[str, str, bool, str], int] = {}

    def append(self, problem: RowProblem) -> None:
        """Add a problem at the end."""
        text = (problem.reason, problem.fix, problem.fixable, problem.code)
        if text not in self._numbers:
            self._numbers[text] = len(self._texts)
            self._texts.append(text)
        self._rows.append(problem.row)
        self._which.append(self._numbers[text])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> RowProblem: ...
    @overload
    def __getitem__(self, index: slice) -> list[RowProblem]: ...
    def __getitem__(self, index: int | slice) -> RowProblem | list[RowProblem]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return RowProblem(self._rows[index], *self._texts[self._which[index]])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return repr(list(self[:20]))

    def counts(self) -> dict[str, int]:
        """How many rows have each kind of problem, the most frequent first."""
        counted: Counter[str] = Counter()
        for number, times in Counter(self._which).items():
            reason, _, _, code = self._texts[number]
            counted[code or reason] += times
        return dict(counted.most_common())

    @property
    def fixable(self) -> int:
        """How many of them Nudge can put right."""
        return sum(times for number, times in Counter(self._which).items() if self._texts[number][2])


@dataclass(repr=False)
class ImportReport:
    """The outcome of reading one file.

    `rows` counts the examples taken and `total` the rows of the file; one row of the file can give several examples (a
    tree of messages), so `rows_taken` counts the rows that gave any. Every other row has a problem.
    """

    name: str = ""
    kind: str = ""
    format: str = ""
    """The format the file was read as, and how sure that was: the share of the first rows that have its shape."""
    confidence: float = 0.0
    alternatives: tuple[str, ...] = ()
    """Other formats that would fit."""
    rows: int = 0
    total: int = 0
    rows_taken: int = 0
    problems: RowProblems = field(default_factory=RowProblems)
    fixed: list[RowFix] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was noticed about the file as a whole."""
    columns: dict[str, str] = field(default_factory=dict)
    """Columns of the first rows, each with the beginning of a value: for saying which one is what."""
    file_type: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """What was noticed in the rows taken: duplicates, contradictions, placeholders, near-empty replies, refusals, …"""

    def _repr_html_(self) -> str:
        return notebook.report(self.sentence(), ((here.row, here.reason, here.fix) for here in self.problems))

    def sentence(self) -> str:
        """The report in a sentence."""
        noun = {"conversations": "conversation", "preferences": "pair", "problems": "problem", "documents": "document"}
        what = noun.get(self.kind, "row") + ("" if self.rows == 1 else "s")
        text = f"{self.rows:,} {what} from {self.rows_taken:,} of {self.total:,} row{'' if self.total == 1 else 's'}."
        if self.fixed:
            text += f" {len(self.fixed):,} {'row was' if len(self.fixed) == 1 else 'rows were'} put right."
        if self.problems:
            text += f" {len(self.problems):,} not taken"
            text += f", {self.problems.fixable:,} of which can be put right." if self.problems.fixable else "."
        return text

    def __repr__(self) -> str:
        shown = [f"  row {problem.row}: {problem.reason}; {problem.fix}" for problem in self.problems[:5]]
        more = [f"  and {len(self.problems) - 5:,} more"] if len(self.problems) > 5 else []
        return "\n".join([f"{self.name} ({self.format}): {self.sentence()}", *shown, *more])

    def to_json(self, most_problems: int = 1000) -> dict[str, Any]:
        """The report as JSON values, with at most `most_problems` of its rows."""
        values = {k: v for k, v in vars(self).items() if k not in ("problems", "fixed", "alternatives")}
        return values | {
            "alternatives": list(self.alternatives),
            "problems": [asdict(problem) for problem in self.problems[:most_problems]],
            "problems_total": len(self.problems),
            "fixed": [asdict(fix) for fix in self.fixed[:most_problems]],
            "fixed_total": len(self.fixed),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come."""

    bytes_done: int
    bytes_total: int
    rows: int


class Refused(Exception):
    """A row cannot be taken: the reason and the fix in plain words. Becomes a `RowProblem` once its number is known."""

    def __init__(self, reason: str, fix: str, *, fixable: bool = False, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.fix, self.fixable, self.code = reason, fix, fixable, code or reason

    def at(self, row: int) -> RowProblem:
        """The problem of that row."""
        return RowProblem(row, self.reason, self.fix, self.fixable, self.code)


class Mending:
    """Whether rows may be put right, and what was done to the present one."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.done: list[str] = []

    def need(self, reason: str, fix: str, *, code: str, done: str) -> None:
        """The row has a fault that can be put right: refuse it, or note what is now `done` to it and go on."""
        if not self.enabled:
            raise Refused(reason, fix, fixable=True, code=code)
        self.done.append(done)


Watch = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def excerpt(value: Any, longest: int = 40) -> str:
    """A short look at a value, for a sentence."""
    text = value if isinstance(value, str) else repr(value)[: longest * 2]
    text = " ".join(text[: longest * 2].split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
