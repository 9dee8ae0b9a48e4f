"""The first examples of a file, read in a way that a person is trying out: nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import DataError
from lab.readers.format import Record
from lab.readers.reading import Columns, Reading
from lab.readers.report import ImportReport

ROLES: dict[str, dict[str, str]] = {
    "conversations": {"prompt": "Prompt", "completion": "Reply", "system": "System prompt"},
    "preferences": {"prompt": "Prompt", "chosen": "Better reply", "rejected": "Worse reply"},
    "problems": {"question": "Question", "answer": "Right answer"},
    "documents": {"text": "Text"},
}
"""Kind of data set → what a column can be, and what it is called."""
OPTIONAL = {"system"}
ROWS = 100
"""Rows that a preview goes through."""


@dataclass(frozen=True)
class Preview:
    """The first examples, and how many of the first rows could be taken."""

    examples: list[Record]
    taken: int
    looked_at: int
    first_problem: str

    @property
    def sentence(self) -> str:
        """How far the rows fit, in words."""
        if self.looked_at == self.taken:
            return f"All of the first {self.looked_at:,} rows can be taken."
        return f"{self.taken:,} of the first {self.looked_at:,} rows can be taken. {self.first_problem}"


def columns_in(path: Path) -> dict[str, str]:
    """The columns of a file, each with the beginning of a value; empty when its rows have none."""
    try:
        return Reading(path).report.columns
    except DataError as error:
        return error.report.columns if isinstance(error.report, ImportReport) else {}


def named(kind: str, chosen: Mapping[str, str | None]) -> dict[str, str]:
    """The columns as a reader takes them. Raises `DataError` when one that is needed is missing or one stands twice."""
    columns = {role: column for role, column in chosen.items() if column}
    missing = [title for role, title in ROLES[kind].items() if role not in OPTIONAL and role not in columns]
    if missing:
        raise DataError(f"Say which column is the {missing[0].lower()}.")
    if len(set(columns.values())) < len(columns):
        raise DataError("One column stands for two things. Choose another for one of them.")
    return columns


def preview(path: Path, columns: Columns, most: int = 3) -> Preview:
    """Try the columns on the first rows of a file. Raises `DataError` when no row fits."""
    reading = Reading(path, columns)
    examples: list[Record] = []
    for example in reading:
        if len(examples) < most:
            examples.append(example)
        if reading.report.total >= ROWS:
            break
    report = reading.report
    problem = next(iter(report.problems), None)
    said = f"Row {problem.row}: {problem.reason}." if problem is not None else ""
    return Preview(examples, report.rows_taken, report.total, said)
