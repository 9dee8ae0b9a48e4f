"""The rows of a JSON file, however it is laid out, without holding more than one of them.

lines    one value a line (JSONL): a broken line costs that line
array    one list: its elements
values   values one after the other, over several lines each (pretty-printed); a single object is one value
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from json.decoder import JSONDecodeError
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson

from lab.readers.report import RowProblem, excerpt

LONGEST_ROW = 32 << 20
"""Bytes of one row; a longer one is reported and passed over."""
_CHUNK = 1 << 18
_DECODER = json.JSONDecoder(strict=False)
_SUSPECT = re.compile(r"[\x00\ud800-\udfff]|\\u(?:0000|[dD][89a-fA-F])")

Layout = Literal["lines", "array", "values"]


class Row(NamedTuple):
    """A row of a file: its number and value. `damaged` says that a text in it may hold NUL bytes or broken characters
    (bytes that are no UTF-8 are in it as U+DC80 to U+DCFF)."""

    number: int
    value: Any
    damaged: bool = False


def layout(head: str, complete: bool) -> Layout:
    """How a JSON file is laid out, from its beginning (`complete`: the beginning is all of it)."""
    text = head.lstrip("\ufeff\x00 \t\r\n")
    first, newline, rest = text.partition("\n")
    more = bool(rest.strip()) or not complete
    if _is_json(first):
        return "array" if first.startswith("[") and not more else "lines"
    if not newline and not complete:  # a first line longer than what was looked at
        return "array" if text.startswith("[") and not _is_broken(text[1:]) else "lines"
    lines = [line for line in rest.split("\n")[:20] if line.strip()]
    if lines and sum(map(_is_row, lines)) * 2 > len(lines):
        return "lines"  # only the first line is broken
    if text.startswith("["):
        return "array"
    return "lines" if text[:1] != "{" or _is_broken(text, first_line_only=True) else "values"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_row(line: str) -> bool:
    return line.lstrip()[:1] in ("{", "[") and line.rstrip()[-1:] in ("}", "]") and _is_json(line)


def _is_broken(text: str, first_line_only: bool = False) -> bool:
    """Whether the first value of `text` is no JSON, other than for being cut off."""
    try:
        _DECODER.raw_decode(text.lstrip())
    except JSONDecodeError as error:
        return not _cut_off(error, text) and (error.lineno == 1 or not first_line_only)
    except (ValueError, RecursionError):
        return True
    return False


def _cut_off(error: JSONDecodeError, text: str) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()) - 12


def line_rows(stream: BinaryIO, encoding: str, blank: Callable[[], None]) -> Iterator[Row | RowProblem]:
    """The rows of a file with a value on each line; `blank` is called for each empty line."""
    for number, line in enumerate(read_lines(stream, encoding), 1):
        if line is None:
            yield RowProblem(
                number,
                f"the line is longer than {LONGEST_ROW >> 20} MB",
                "check that the rows are separated by line breaks, and cut the text of this one into several",
                code="too long a line",
            )
        elif not line.strip(b" \t\r\n\x0b\x0c"):
            blank()
        else:
            yield parse_line(number, line)


def read_lines(stream: BinaryIO, encoding: str) -> Iterator[bytes | None]:
    """The lines as UTF-8; None for one that is too long."""
    if encoding != "utf-8":
        stream = Transcoded(stream, encoding)  # type: ignore[assignment]
    while line := stream.readline(LONGEST_ROW + 1):
        if len(line) <= LONGEST_ROW:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_CHUNK)
        yield None


class Transcoded:
    """A stream in another encoding as lines of UTF-8. Characters that are broken become U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._buffer = b""
        self._place = 0
        self._ended = False

    def readline(self, limit: int) -> bytes:
        """The next line, or the first `limit` bytes of it."""
        while (end := self._buffer.find(b"\n", self._place, self._place + limit) + 1) == 0:
            if self._ended or len(self._buffer) - self._place >= limit:
                end = min(len(self._buffer), self._place + limit)
                break
            chunk = self._stream.read(_CHUNK)
            self._ended = not chunk
            more = self._decoder.decode(chunk, final=self._ended).encode("utf-8", "replace")
            self._buffer, self._place = self._buffer[self._place :] + more, 0
        line, self._place = self._buffer[self._place : end], end
        return line


def parse_line(number: int, line: bytes) -> Row | RowProblem:
    """The value of one line of JSONL."""
    try:
        return Row(number, orjson.loads(line), b"\\u0000" in line)
    except (orjson.JSONDecodeError, RecursionError):
        pass  # it may be merely unusual: NaN, a huge number, half a surrogate pair, a NUL byte, another encoding
    if not line.strip(b"\x00 \t\r\n"):
        return RowProblem(number, "the line holds only NUL bytes", "delete it: the file was cut or the disk was full")
    text = line.decode("utf-8", "surrogateescape").strip("\ufeff\x00 \t\r\n")
    try:
        return Row(number, json.loads(text, strict=False), True)
    except JSONDecodeError as error:
        return RowProblem(number, *_explain(error, text))
    except (ValueError, RecursionError) as error:
        return RowProblem(number, *_unreadable(error))


def _explain(error: JSONDecodeError, text: str) -> tuple[str, str, bool, str]:
    around = excerpt(text[max(0, error.pos - 20) : error.pos + 20])
    if text[:1] not in '{["':
        return f"the line is no JSON: “{excerpt(text)}”", "write one JSON object on each line", False, "no JSON"
    if _cut_off(error, text):
        return "the line is cut off: its JSON does not end", "mend or delete the line", False, "JSON cut off"
    if text[:2] in ("{'", "['"):
        fix = 'write the rows with a JSON library (Python: json.dumps), so that texts stand in "double" quotation marks'
        return "the line is Python, not JSON: its texts stand in single quotation marks", fix, False, "Python, not JSON"
    reason = f"the JSON is wrong at character {error.pos + 1}, near “{around}”: {error.msg[:1].lower()}{error.msg[1:]}"
    fix = "mend the line: often a quotation mark or a comma is missing, or a quotation mark in a text has no backslash"
    return reason, fix, False, "wrong JSON"


def _unreadable(error: Exception) -> tuple[str, str, bool, str]:
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply", "make the row flatter", False, "nested too deeply"
    return f"the JSON cannot be read: {error}", "mend the row", False, "wrong JSON"


class ValueStream:
    """JSON values read one after the other from a stream of text that need not fit in memory."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        errors = "surrogateescape" if encoding == "utf-8" else "replace"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._stream = stream
        self._buffer = ""
        self._place = 0
        self._ended = False

    def _more(self) -> bool:
        """Read on, doubling what is held so that a long value is tried few times. False at the end."""
        if self._ended:
            return False
        self._buffer, self._place = self._buffer[self._place :], 0
        chunk = self._stream.read(max(_CHUNK, len(self._buffer)))
        self._ended = not chunk
        self._buffer += self._decoder.decode(chunk, final=self._ended)
        return True

    def peek(self) -> str:
        """The next character that is no white space, or "" at the end."""
        while True:
            while self._place < len(self._buffer):
                if self._buffer[self._place] not in " \t\r\n\ufeff\x00":
                    return self._buffer[self._place]
                self._place += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        """Go past the character that `peek` gave."""
        self._place += 1

    def value(self) -> tuple[Any, bool]:
        """The next value, and whether a text in it may be damaged. Raises `ValueError` where it is broken, or longer
        than `LONGEST_ROW`."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._place)
            except JSONDecodeError as error:
                pending = len(self._buffer) - self._place
                if not _cut_off(error, self._buffer) or pending > LONGEST_ROW or not self._more():
                    raise
                continue
            if end == len(self._buffer) and not self._ended and self._more():
                continue  # a number may go on
            damaged = _SUSPECT.search(self._buffer, self._place, end) is not None
            self._place = end
            return value, damaged


def array_rows(stream: BinaryIO, encoding: str) -> Iterator[Row | RowProblem]:
    """The elements of one list."""
    values = ValueStream(stream, encoding)
    values.peek()
    values.skip()
    number = 0
    while (character := values.peek()) not in ("]", ""):
        number += 1
        if character == "," and number > 1:
            values.skip()
            if values.peek() == "]":
                break
        elif number > 1:
            yield _broken_off(number, f"a comma is missing before “{character}”")
            return
        try:
            value, damaged = values.value()
        except (ValueError, RecursionError) as error:
            yield _broken_off(number, _message(error))
            return
        yield Row(number, value, damaged)
    if values.peek() == "":
        yield _broken_off(number + 1, "the list does not end: the file may be cut off")


def value_rows(stream: BinaryIO, encoding: str) -> Iterator[Row | RowProblem]:
    """Values one after the other, with or without commas between them."""
    values = ValueStream(stream, encoding)
    number = 0
    while values.peek():
        number += 1
        try:
            value, damaged = values.value()
        except (ValueError, RecursionError) as error:
            yield _broken_off(number, _message(error))
            return
        yield Row(number, value, damaged)
        if values.peek() == ",":
            values.skip()


def _message(error: Exception) -> str:
    if isinstance(error, JSONDecodeError):
        if _cut_off(error, error.doc):
            return "the file is cut off, or a bracket or quotation mark is missing"
        near = excerpt(error.doc[max(0, error.pos - 20) : error.pos + 20])
        return f"{error.msg[:1].lower()}{error.msg[1:]} near “{near}”"
    return _unreadable(error)[0]


def _broken_off(number: int, what: str) -> RowProblem:
    return RowProblem(
        number,
        f"the JSON breaks off here, and nothing after it can be read: {what}",
        "mend the file at this place, or write one JSON object on each line: then a broken line costs only itself",
        code="JSON breaks off",
    )
