"""Pages from what people have: HTML files and folders of them, web archives, rows of text. Nothing is fetched.

A file or a record that cannot be read becomes a page with a `problem`: named, counted, and gone on after.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from lab.corpus.page import Page
from lab.errors import DataError

LONGEST = 64 << 20
"""Bytes of one page that are read at most."""
_HTML = (".html", ".htm", ".xhtml")
_ARCHIVES = (".warc", ".warc.gz", ".arc", ".arc.gz", ".warc.gz.bad")
_ROWS = (".jsonl", ".jsonl.gz", ".ndjson", ".json")
_TEXTS = ("text", "content", "body", "raw_content", "document")
_ADDRESSES = ("url", "source_url", "uri", "link")


def read_pages(path: Path | str) -> Iterator[Page]:
    """The pages of a file, or of every file in a folder that holds some.

    Raises `DataError` for a path that does not exist and for a file that holds no pages.
    """
    path = Path(path)
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and _reader(file) is not None]
        if not files:
            raise DataError(f"There are no pages in {path}. It may hold .html, .warc, .jsonl or .parquet files.")
        return (page for file in files for page in _all_of(file, file.relative_to(path).as_posix()))
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if _reader(path) is None:
        raise DataError(f"{path.name} holds no pages: choose HTML, a web archive (.warc), JSONL or Parquet.")
    return _all_of(path, path.name)


def _all_of(path: Path, name: str) -> Iterator[Page]:
    """The pages of one file; what breaks the reading of it becomes the last of them."""
    read, number = _reader(path), 0
    assert read is not None
    try:
        for page in read(path, name):
            number += 1
            yield page
    except Exception as error:  # whatever a library makes of a broken file
        yield Page(f"{name}#{number + 1}", problem=f"{name} breaks off after {number:,} pages: {_said(error)}")


def _reader(path: Path) -> Callable[[Path, str], Iterator[Page]] | None:
    name = path.name.lower()
    if name.endswith(_HTML):
        return _html
    if name.endswith(_ARCHIVES):
        return _archive
    if name.endswith(_ROWS):
        return _rows
    if name.endswith((".parquet", ".pq")):
        return _parquet
    if name.endswith((".txt", ".md")):
        return _plain
    return None


def _html(path: Path, name: str) -> Iterator[Page]:
    with path.open("rb") as file:
        raw = file.read(LONGEST)
    problem = "a page without a byte" if not raw else ""
    yield Page(name, html=raw, problem=problem)


def _plain(path: Path, name: str) -> Iterator[Page]:
    with path.open("rb") as file:
        yield Page(name, text=file.read(LONGEST).decode("utf-8", "replace"))


def _archive(path: Path, name: str) -> Iterator[Page]:
    """The answers in a web archive that hold HTML or text; other records are no pages."""
    from warcio.archiveiterator import ArchiveIterator

    with path.open("rb") as file:
        for number, record in enumerate(ArchiveIterator(file, arc2warc=True), 1):
            if record.rec_type not in ("response", "resource"):
                continue
            url = (record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> ")
            kind = record.http_headers.get_header("Content-Type", "") if record.http_headers else record.content_type
            if kind and not any(word in kind for word in ("html", "text/plain", "xml")):
                continue
            yield _record(f"{name}#{number}", url, record)


def _record(id: str, url: str, record: Any) -> Page:
    try:
        return Page(id, url, record.content_stream().read(LONGEST))
    except Exception as error:  # a record that is shorter, or packed otherwise, than it says
        return Page(id, url, problem=f"the record cannot be read: {_said(error)}")


def _rows(path: Path, name: str) -> Iterator[Page]:
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rb") as file:
        start = file.read(1)
        file.seek(0)
        if start == b"[":
            for number, row in enumerate(orjson.loads(file.read()), 1):
                yield _row(row, f"{name}#{number}")
            return
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
            if not line.strip():
                continue
            try:
                yield _row(orjson.loads(line), f"{name}#{number}")
            except orjson.JSONDecodeError as error:
                yield Page(f"{name}#{number}", problem=f"line {number} is no JSON: {_said(error)}")


def _parquet(path: Path, name: str) -> Iterator[Page]:
    import pyarrow.parquet as parquet

    number = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield _row(row, f"{name}#{number}")


def _row(row: Any, id: str) -> Page:
    """A row of a table or a line of JSON: its HTML or its text, and its address."""
    if isinstance(row, str):
        return Page(id, text=row)
    if not isinstance(row, dict):
        return Page(id, problem=f"the row is a {type(row).__name__}, not a page")
    metadata = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
    url = next((str(each[name]) for each in (row, metadata) for name in _ADDRESSES if each.get(name)), "")
    html = row.get("html")
    if isinstance(html, (str, bytes)) and html:
        return Page(id, url, html)
    text = next((row[name] for name in _TEXTS if isinstance(row.get(name), str)), None)
    if text is None:
        return Page(id, url, problem=f"the row has no text: its columns are {', '.join(map(str, list(row)[:8]))}")
    return Page(id, url, text=text)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:160]}" if str(error) else type(error).__name__
