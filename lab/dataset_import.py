"""Writing a data set into its folder: from a file that is being read, or from another set without some of its rows."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.dataset_store import StoredDataset
from lab.errors import DataError
from lab.readers import ImportCancelledError, ImportReport, Reading
from lab.readers.census import NOTICES, Census
from lab.readers.format import Record
from lab.readers.report import Cancelled

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_SUFFIXES = {".gz", ".bz2", ".xz", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".md", ".parquet", ".arrow"}


def checked_name(name: str) -> str:
    """`name` if it can be the name of a folder on every system. Raises `DataError`."""
    fits = re.fullmatch(r"\w(?:[\w .+-]{0,62}[\w+-])?", name) is not None
    if not fits or name.split(".")[0].lower() in _RESERVED:
        raise DataError(f"{name!r} cannot be a name. Use up to 64 letters, digits, spaces, dots, - or _.")
    return name


def name_from(path: Path) -> str:
    """A name made from that of a file."""
    stem = path.name
    while Path(stem).suffix.lower() in _SUFFIXES:
        stem = Path(stem).stem
    return re.sub(r"[^\w .+-]+", "-", stem).strip(" .-")[:60].strip(" .-") or "data"


def write_import(folder: Path, reading: Reading, path: Path, name: str, cancelled: Cancelled | None) -> dict[str, Any]:
    """Write what is read, what was not taken, and the file itself to `folder`; gives its about.json.

    Raises `DataError`, carrying the report, when there is nothing to write.
    """
    stored, report, census = StoredDataset(folder), reading.report, Census()
    report.name = name
    stored.write_rows(reading, census)
    if not report.rows:
        raise DataError(_nothing_taken(path.name, report), report)
    complete(report, census)
    stored.write_problems(report)
    digest = stored.keep_original(path, lambda: _stop_if(cancelled, path.name))
    more = {"source": path.name, "sha256": digest, "columns": reading.columns, "format": report.format}
    return _about(report, census) | more


def write_without(
    folder: Path,
    records: Iterable[Record],
    drop: set[str],
    kind: str,
    name: str,
    fits: Callable[[Record], bool] | None = None,
) -> dict[str, Any]:
    """Write the rows in which nothing of `drop` is noticed and that fit; gives the about.json.

    Raises `DataError` for a name that is not in `NOTICES`, and when no row is left.
    """
    unknown = drop - set(NOTICES)
    if unknown:
        raise DataError(f"There is nothing called {', '.join(sorted(unknown))} to leave out: {', '.join(NOTICES)}.")
    stored, census, too_long = StoredDataset(folder), Census(), Counter[str]()

    def fitting() -> Iterator[Record]:
        for record in records:
            if fits is None or fits(record):
                yield record
            else:
                too_long["rows"] += 1

    kept, left_out = stored.write_rows(fitting(), census, frozenset(drop))
    if not kept:
        raise DataError("Every row would be left out: nothing would be left.")
    left_out += too_long["rows"]
    report = ImportReport(name, kind, rows=kept, total=kept + left_out, rows_taken=kept)
    complete(report, census)
    left = {"noticed": sorted(drop), "too_long": too_long["rows"], "rows": left_out}
    return _about(report, census) | {"left_out": left}


def _about(report: ImportReport, census: Census) -> dict[str, Any]:
    return {
        "name": report.name,
        "kind": report.kind,
        "rows": report.rows,
        "distinct": census.distinct,
        "created": time.time(),
        "counts": report.counts,
        "report": report.to_json(),
    }


def complete(report: ImportReport, census: Census) -> None:
    """Put what was noticed in the rows into the report."""
    report.counts = {notice: census.counts[notice] for notice in NOTICES if census.counts[notice]}
    if census.placeholders:
        names = ", ".join(name for name, _ in census.placeholders.most_common(5))
        report.notes.append(f"Placeholders that nobody filled in: {names}.")


def _nothing_taken(file: str, report: ImportReport) -> str:
    if not report.problems:
        return f"{file} has no rows."
    problem = report.problems[0]
    text = f"No row of {file} could be used. Row {problem.row}: {problem.reason}; {problem.fix}."
    return text + (f" {report.problems.fixable:,} rows can be put right." if report.problems.fixable else "")


def _stop_if(cancelled: Cancelled | None, file: str) -> None:
    if cancelled is not None and cancelled():
        raise ImportCancelledError(f"The import of {file} was stopped. Nothing was kept.")
