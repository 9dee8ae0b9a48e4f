"""One pass over a file: its rows, in its format, as examples, with a report that misses none.

    reading = Reading("chats.jsonl")
    for example in reading: …
    reading.report

Every row of the file gives at least one example or has a problem in the report. Memory is bounded by the longest row.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.errors import DataError
from lab.readers.chats import Alpaca, Messages, PromptCompletion, ShareGPT, Transcript
from lab.readers.fields import normal
from lab.readers.format import Format, Gathered, Record
from lab.readers.json_rows import Row
from lab.readers.labels import Labelled, LabelledGood
from lab.readers.pairs import ChosenRejected, Verdict
from lab.readers.report import Cancelled, ImportReport, Mending, Refused, RowFix, RowProblem, Watch, excerpt
from lab.readers.rows import FileRows
from lab.readers.tasks import Documents, Lines, PlainText, Problems
from lab.readers.trees import ChatGPTExport, OpenAssistant, OpenAssistantAll, OpenAssistantPairs

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        *(Lines(), PlainText(), ChatGPTExport(), OpenAssistant(), OpenAssistantAll(), OpenAssistantPairs()),
        *(ChosenRejected(), Verdict(), Labelled(), LabelledGood(), Messages(), ShareGPT(), Problems(), Alpaca()),
        *(PromptCompletion(), Transcript(), Documents()),
    )
}
"""Every format by name. Where two fit equally well, the earlier one is taken: it asks for more."""

SAMPLE = 100
"""Rows looked at to tell the format."""
_SURE = 0.5
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BROKEN = re.compile("[\x00\ud800-\udfff]")

Columns = Mapping[str, str]
"""Which column of the file is what, such as `{"prompt": "Question", "completion": "Best answer"}`."""


class Reading:
    """The examples of a file, to be gone through once; `report` grows with them and is whole at the end."""

    def __init__(
        self,
        path: Path | str,
        format: str | Columns | None = None,
        *,
        fix: bool = False,
        fill: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        cancelled: Cancelled | None = None,
    ) -> None:
        """`format` names one of `FORMATS` or says which column is what; None finds it out. `fix` puts right what can be
        put right; `fill` gives the values of `{{placeholders}}`. Raises `DataError` when the file cannot be used."""
        self._file = FileRows(Path(path), watch, cancelled)
        self.columns = dict(format) if isinstance(format, Mapping) else {}
        self._fix = fix
        self._fill = dict(fill or {})
        self.report = ImportReport(name=Path(path).stem, file_type=self._file.kind.describe())
        self.format = self._choose(format)
        self.report.format, self.report.kind = self.format.name, self.format.kind

    # --- the format ----------------------------------------------------------------------------------------------

    def _choose(self, format: str | Columns | None) -> Format:
        if isinstance(format, str) and format not in FORMATS:
            raise DataError(f"There is no format {format!r}. There are: {', '.join(FORMATS)}.")
        rows = [row for row in itertools.islice(self._file, SAMPLE) if isinstance(row, Row)]
        self.report.columns = _columns_of(rows)
        values = [self._renamed(row.value) for row in rows]
        if not values and not isinstance(format, str):
            self._read_without_format()
            raise DataError(f"No row of {self._file.path.name} can be read. {_first(self.report)}", self.report)
        scores = {name: each.score(values) for name, each in FORMATS.items()} if values else {}
        fitting = sorted((name for name in scores if scores[name] >= _SURE), key=lambda name: -scores[name])
        if isinstance(format, str):
            self.report.confidence = scores.get(format, 0.0)
            self.report.alternatives = tuple(name for name in fitting if name != format)
            return FORMATS[format]
        best = max(scores, key=lambda name: scores[name])
        if scores[best] == 0:
            self._read_without_format()
            raise DataError(self._unknown(), self.report)
        self.report.confidence = scores[best]
        self.report.alternatives = tuple(name for name in fitting if name != best)
        return FORMATS[best]

    def _read_without_format(self) -> None:
        """Fill the report with why no row was taken."""
        for row in itertools.islice(self._file, SAMPLE):
            self.report.total += 1
            if isinstance(row, RowProblem):
                self.report.problems.append(row)
                continue
            try:
                FORMATS["prompt_completion"].read(row.value, Mending(False))
            except Refused as refused:
                self.report.problems.append(refused.at(row.number))
        self.report.notes = self._file.notes

    def _unknown(self) -> str:
        name, columns = self._file.path.name, self.report.columns
        if any(normal(column) == "input_ids" for column in columns):
            return f"{name} holds token ids, which mean something for one tokenizer only. Use the data as text."
        if not columns:
            return f"The rows of {name} are no objects with columns. {_first(self.report)}"
        listed = ", ".join(f"`{column}`" for column in list(columns)[:12])
        if {"turns", "question", "prompt", "prompts"} & set(map(normal, columns)):
            return f"{name} has questions but no answers: its columns are {listed}. Say which column is the answer."
        return f"The columns of {name} are {listed}. Say which of them is the prompt and which the reply."

    def _renamed(self, value: Any) -> Any:
        """A row with the columns that the person named, and no others."""
        if not self.columns or not isinstance(value, dict):
            return value
        return {what: value[column] for what, column in self.columns.items() if column in value}

    # --- the rows ------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Record]:
        """Raises `ImportCancelledError` when the person stopped it, `DataError` when the file breaks in a way that
        leaves its rows untold."""
        report = self.report
        for item in self.format.gather(self._counted()):
            if isinstance(item, RowProblem):
                report.problems.append(item)
                continue
            numbers = item.numbers if isinstance(item, Gathered) else (item.number,)
            mending = Mending(self._fix)
            try:
                records = self._read(item.value, item.damaged, mending)
            except Refused as refused:
                for number in numbers:
                    report.problems.append(self._judged(refused, item).at(number))
                continue
            report.rows_taken += len(numbers)
            report.rows += len(records)
            if mending.done:
                report.fixed.append(RowFix(item.number, "; ".join(mending.done)))
            yield from (replace(record, row=item.number) for record in records)
        report.notes += self._file.notes

    def _counted(self) -> Iterator[Row | RowProblem]:
        for row in self._file:
            self.report.total += 1
            yield row._replace(value=self._renamed(row.value)) if isinstance(row, Row) else row

    def _read(self, value: Any, damaged: bool, mending: Mending) -> list[Record]:
        try:
            if damaged:
                value = _repaired(value, mending)
            if self._fill:
                value = _filled(value, self._fill, mending)
            return self.format.read(value, mending)
        except RecursionError:
            raise Refused("the row is nested too deeply", "make it flatter", code="nested too deeply") from None

    def _judged(self, refused: Refused, item: Row | Gathered) -> Refused:
        """The refusal for its first reason, fixable only if the whole row can be taken once it is put right."""
        if not refused.fixable and not self._fix:
            return refused
        try:
            self._read(item.value, item.damaged, Mending(not self._fix))
        except Refused as other:
            refused = other if self._fix else refused
            refused.fixable = False
        return refused


def _columns_of(rows: list[Row]) -> dict[str, str]:
    """The columns of the first rows, each with the beginning of its first value that is not empty."""
    columns: dict[str, str] = {}
    for row in rows:
        for name, value in row.value.items() if isinstance(row.value, dict) else ():
            if not columns.get(str(name)):
                columns[str(name)] = "" if value in (None, "", [], {}) else excerpt(value, 80)
    return columns


def _first(report: ImportReport) -> str:
    if not report.problems:
        return ""
    problem = report.problems[0]
    return f"Row {problem.row}: {problem.reason}; {problem.fix}."


def _each_text(value: Any, change: Any) -> Any:
    """A JSON value with `change` applied to every text in it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            change(name) if isinstance(name, str) else name: _each_text(item, change) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return value


def _repaired(value: Any, mending: Mending) -> Any:
    """`value` without NUL bytes, and with what was no UTF-8 read as Windows-1252, the usual culprit."""
    faults: set[str] = set()

    def repair(text: str) -> str:
        if not _BROKEN.search(text):
            return text
        if "\x00" in text:
            faults.add("NUL bytes")
        if any("\udc80" <= character <= "\udcff" for character in text):
            faults.add("bytes that are no UTF-8")
            text = re.sub(
                "[\udc80-\udcff]", lambda match: bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace"), text
            )
        if re.search("[\ud800-\udfff]", text):
            faults.add("half a character")
        return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\x00", ""))

    repaired = _each_text(value, repair)
    if faults:
        what = " and ".join(sorted(faults))
        mending.need(
            f"the row has {what} in its text",
            "save the file as UTF-8 and check this row",
            code=what,
            done=f"{what} in the text were read as Windows-1252 or left out",
        )
    return repaired


def _filled(value: Any, fill: dict[str, str], mending: Mending) -> Any:
    """`value` with the placeholders that have a value filled in."""
    found: set[str] = set()

    def put_in(match: re.Match[str]) -> str:
        if match[1] not in fill:
            return match[0]
        found.add(match[1])
        return fill[match[1]]

    filled = _each_text(value, lambda text: _PLACEHOLDER.sub(put_in, text))
    if found:
        mending.done.append(f"filled in {', '.join(sorted(found))}")
    return filled
