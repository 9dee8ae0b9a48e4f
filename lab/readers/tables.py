"""The rows of tables: comma- or tab-separated text, Parquet, Arrow. Each row becomes a column → value mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from lab.errors import DataError
from lab.readers.json_rows import LONGEST_ROW, Row
from lab.readers.report import RowProblem

_BATCH = 500


def delimited_rows(stream: BinaryIO, encoding: str, delimiter: str) -> Iterator[Row | RowProblem]:
    """The rows of delimited text after its line of names. Their number is the line they begin on.

    Raises `DataError` when two columns have the same name.
    """
    csv.field_size_limit(LONGEST_ROW)  # of the whole process; the default refuses a long reply
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    text = io.TextIOWrapper(stream, encoding, errors, newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    names: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowProblem(line, _csv_reason(error), "mend the quotation marks of this row", code="broken table row")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = _names(cells)
            continue
        if len(cells) != len(names):
            yield _wrong_width(line, len(cells), len(names))
            continue
        yield Row(line, dict(zip(names, cells)), not "".join(cells).isascii() or "\x00" in "".join(cells))


def _csv_reason(error: csv.Error) -> str:
    if "limit" in str(error):
        return f"a cell is longer than {LONGEST_ROW >> 20} MB: most often a closing quotation mark is missing"
    return f"the row cannot be cut into cells: {error}"


def _names(cells: list[str]) -> list[str]:
    names = [cell.strip("\ufeff ") for cell in cells]
    while names and not names[-1]:
        names.pop()
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"Two columns have the same name: {', '.join(sorted(twice))}. Rename one of them.")
    return names


def _wrong_width(line: int, cells: int, names: int) -> RowProblem:
    many = "too many" if cells > names else "too few"
    return RowProblem(
        line,
        f"the row has {many} columns: {cells}, where the first line names {names}",
        "put the text in quotation marks if it holds the separator or a line break, or fill in the missing cells",
        code=f"{many} columns",
    )


def parquet_rows(stream: BinaryIO) -> Iterator[Row]:
    """The rows of a Parquet file, in batches. Raises `DataError` when it is broken."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(stream)
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH):
            for value in batch.to_pylist():
                number += 1
                yield Row(number, value, True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"The Parquet file is broken: {_first_line(error)}. Download or export it again.") from error


def arrow_rows(stream: BinaryIO) -> Iterator[Row]:
    """The rows of an Arrow file or stream, in batches. Raises `DataError` when it is broken."""
    import pyarrow
    import pyarrow.ipc

    number = 0
    try:
        for batch in _arrow_batches(stream):
            for start in range(0, batch.num_rows, _BATCH):
                for value in batch.slice(start, _BATCH).to_pylist():
                    number += 1
                    yield Row(number, value, True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"The Arrow file is broken: {_first_line(error)}. Download or export it again.") from error


def _arrow_batches(stream: BinaryIO) -> Iterator[Any]:
    import pyarrow.ipc

    start = stream.read(6)
    stream.seek(0)
    if start == b"ARROW1":
        reader = pyarrow.ipc.open_file(stream)
        for n in range(reader.num_record_batches):
            yield reader.get_batch(n)
    else:
        yield from pyarrow.ipc.open_stream(stream)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
