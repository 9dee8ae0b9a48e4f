"""The rows of any file: one seam under all formats. Bytes → kind of file → rows, each with its number."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lab.errors import DataError
from lab.readers.fields import KNOWN, normal
from lab.readers.json_rows import Row, array_rows, layout, line_rows, read_lines, value_rows
from lab.readers.report import Cancelled, ImportCancelledError, Progress, RowProblem, Watch
from lab.readers.sniff import HEAD, FileKind, open_bytes, sniff
from lab.readers.tables import arrow_rows, delimited_rows, parquet_rows

_WATCH_ROWS, _WATCH_BYTES = 500, 4 << 20


class FileRows:
    """The rows of one file, read afresh at each iteration. Row numbers ascend."""

    def __init__(self, path: Path, watch: Watch | None = None, cancelled: Cancelled | None = None) -> None:
        """Raises `DataError` when the file holds no rows."""
        if not path.is_file():
            raise DataError(f"There is no file {path}." if not path.exists() else f"{path} is a folder, not a file.")
        self.path = path
        self.kind: FileKind = sniff(path)
        self.notes: list[str] = []
        self._watch = watch
        self._cancelled = cancelled
        self._blank = 0

    def __iter__(self) -> Iterator[Row | RowProblem]:
        """Raises `ImportCancelledError` when the person stopped it, `DataError` for a broken Parquet or Arrow file."""
        self._blank = 0
        self.notes = []
        size = self.path.stat().st_size
        stream, counted = open_bytes(self.path, self.kind)
        number, count, told = 0, 0, 0
        with counted, stream:
            try:
                for count, row in enumerate(self._rows(stream), 1):
                    number = row.number if isinstance(row, Row) else row.row
                    if count % _WATCH_ROWS == 0 or counted.bytes_read - told > _WATCH_BYTES:
                        told = counted.bytes_read
                        self._look_up(Progress(told, size, count))
                    yield row
            except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
                if not self.kind.compression:
                    raise DataError(f"{self.path.name} cannot be read to its end: {error}.") from error
                yield _compressed_part_breaks_off(number + 1, self.kind.compression, error)
            self._look_up(Progress(size, size, count))
        self._note()

    def _look_up(self, progress: Progress) -> None:
        if self._cancelled is not None and self._cancelled():
            raise ImportCancelledError(f"The import of {self.path.name} was stopped. Nothing was kept.")
        if self._watch is not None:
            self._watch(progress)

    def _rows(self, stream: BinaryIO) -> Iterator[Row | RowProblem]:
        kind = self.kind
        if kind.kind == "parquet":
            return parquet_rows(stream)
        if kind.kind == "arrow":
            return arrow_rows(stream)
        if kind.kind == "table":
            return delimited_rows(stream, kind.encoding, kind.delimiter)
        if kind.kind == "text":
            return text_rows(stream, kind.encoding)
        return self._json_rows(stream)

    def _json_rows(self, stream: BinaryIO) -> Iterator[Row | RowProblem]:
        encoding = self.kind.encoding
        again, _ = open_bytes(self.path, self.kind)
        with again:
            head = _read_head(again)
        found = layout(head.decode(encoding, "replace"), complete=len(head) < HEAD)
        if found == "array":
            return array_rows(stream, encoding)
        if found == "values":
            return unwrapped(value_rows(stream, encoding), self.notes.append)
        return unwrapped(line_rows(stream, encoding, self._count_blank), self.notes.append)

    def _count_blank(self) -> None:
        self._blank += 1

    def _note(self) -> None:
        if self._blank:
            self.notes.append(f"{self._blank} blank line{'s were' if self._blank > 1 else ' was'} passed over.")
        if self.kind.bom:
            self.notes.append("The byte order mark at the beginning of the file was passed over.")


def _read_head(stream: BinaryIO) -> bytes:
    parts, length = [], 0
    try:
        while length < HEAD and (part := stream.read(min(1 << 16, HEAD - length))):
            parts.append(part)
            length += len(part)
    except (EOFError, OSError, zlib.error, lzma.LZMAError):
        pass  # it breaks off: reported when the rows are read
    return b"".join(parts)


def _compressed_part_breaks_off(number: int, compression: str, error: Exception) -> RowProblem:
    return RowProblem(
        number,
        f"the {compression} file breaks off here, and nothing after it can be read ({error})",
        "download or compress the file again",
        code="compressed file breaks off",
    )


def text_rows(stream: BinaryIO, encoding: str) -> Iterator[Row | RowProblem]:
    """The lines of plain text that are not blank, as `{"line": …, "begins": whether a blank line is before it}`."""
    begins = True
    for number, line in enumerate(read_lines(stream, encoding), 1):
        if line is None:
            yield RowProblem(number, "the line is longer than 32 MB", "cut it into several", code="too long a line")
        elif line.strip():
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            yield Row(number, {"line": text, "begins": begins}, not line.isascii() or b"\x00" in line)
        begins = line is not None and not line.strip()


def unwrapped(rows: Iterator[Row | RowProblem], note: Callable[[str], None]) -> Iterator[Row | RowProblem]:
    """The rows of a file whose top level may be one object that holds them: `{"data": […]}`, columns, or a row."""
    first = next(rows, None)
    second = next(rows, None)
    if second is None and isinstance(first, Row) and isinstance(first.value, (dict, list)):
        for number, value in enumerate(_inner(first.value, note), 1):
            yield Row(number, value, first.damaged)
        return
    yield from (row for row in (first, second) if row is not None)
    yield from rows


_WRAPPERS = ("data", "rows", "train", "examples", "instances", "samples", "records", "validation", "test")
_NOT_TELLING = {"content", "value", "text", "id", "source", "category", "label"}


def _inner(value: Any, note: Callable[[str], None]) -> list[Any]:
    """The rows inside a file's only value: in a list of it, in its columns, or the value itself."""
    if isinstance(value, list):
        return value
    lists = {str(name): inner for name, inner in value.items() if isinstance(inner, list) and inner}
    holders = [name for name, inner in lists.items() if normal(name) in _WRAPPERS or _is_row(inner[0])]
    if not holders:
        if len(lists) == len(value) > 1 and len({len(inner) for inner in lists.values()}) == 1 and _all_text(lists):
            note("The file holds columns; its rows were put together from them.")
            return [dict(zip(lists, row)) for row in zip(*lists.values())]
        return [value]
    name = min(
        holders, key=lambda name: (normal(name) not in _WRAPPERS, [*_WRAPPERS, normal(name)].index(normal(name)))
    )
    others = [other for other in holders if other != name]
    note(f"The rows were taken from `{name}`" + (f"; {', '.join(others)} was left out." if others else "."))
    return [row["row"] if isinstance(row, dict) and {"row", "row_idx"} <= set(row) else row for row in lists[name]]


def _all_text(lists: dict[str, list[Any]]) -> bool:
    return all(isinstance(item, (str, int, float)) for inner in lists.values() for item in inner[:20])


def _is_row(item: Any) -> bool:
    """Whether an object looks like a row of its own, rather than like a turn or a tool."""
    if not isinstance(item, dict):
        return False
    names = set(map(normal, item))
    return bool(names & (KNOWN - _NOT_TELLING)) and not names & {"role", "from", "speaker"}
