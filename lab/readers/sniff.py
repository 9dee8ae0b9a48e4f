"""What kind of file this is, told by its content. The suffix only decides between plain text and a table.

Files that hold no rows (a PDF renamed to .jsonl, a Git LFS pointer, a zip) are refused here in a sentence that says
what they are and what to do.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from lab.errors import DataError
from lab.readers.fields import KNOWN, normal

HEAD = 1 << 20
"""Bytes looked at to tell the kind of a file."""

Kind = Literal["json", "table", "text", "parquet", "arrow"]

_NOT_DATA: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF", "copy its text into a .txt file, or export the data it was made from"),
    (b"PK\x03\x04", "a zip archive (or an Office file)", "unpack it first; export a spreadsheet as CSV"),
    (b"PK\x05\x06", "an empty zip archive", "choose another file"),
    (b"\xd0\xcf\x11\xe0", "an old Office file", "export it as CSV"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the data",
        "run `git lfs pull` in its folder",
    ),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV or JSON"),
    (b"\x89PNG", "a picture", "choose a file of text"),
    (b"\xff\xd8\xff", "a picture", "choose a file of text"),
    (b"GIF8", "a picture", "choose a file of text"),
    (b"\x93NUMPY", "a NumPy array", "export the rows as JSONL"),
    (b"\x80\x02", "a Python pickle, which can run code when it is opened", "export the rows as JSONL"),
    (b"\x80\x03", "a Python pickle, which can run code when it is opened", "export the rows as JSONL"),
    (b"\x80\x04", "a Python pickle, which can run code when it is opened", "export the rows as JSONL"),
    (b"\x80\x05", "a Python pickle, which can run code when it is opened", "export the rows as JSONL"),
    (b"\x7fELF", "a program", "choose a file of text"),
    (b"WARC/", "a web archive", "extract the text of its pages first"),
    (b"filedesc://", "a web archive", "extract the text of its pages first"),
)
_MARKUP = re.compile(rb"\s*(?:<\?xml|<!doctype|<html|<rss|<svg)", re.IGNORECASE)
_OPENERS: dict[str, tuple[bytes, Callable[..., Any]]] = {
    "gzip": (b"\x1f\x8b", gzip.open),
    "bzip2": (b"BZh", bz2.open),
    "xz": (b"\xfd7zXZ\x00", lzma.open),
}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
         (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip


@dataclass(frozen=True)
class FileKind:
    """How a file is to be read. `delimiter` is that of a table; `bom` counts the bytes of a byte order mark."""

    kind: Kind
    encoding: str = "utf-8"
    bom: int = 0
    compression: str = ""
    delimiter: str = ""

    def describe(self) -> str:
        """The kind in words."""
        words = {"json": "JSON", "table": "table", "text": "plain text", "parquet": "Parquet", "arrow": "Arrow"}
        names = {",": "comma-separated ", "\t": "tab-separated ", ";": "semicolon-separated ", "|": "bar-separated "}
        text = names.get(self.delimiter, "") + words[self.kind]
        if self.encoding != "utf-8":
            text += f", {self.encoding.upper()}"
        return text + (f", {self.compression}" if self.compression else "")


class CountedFile(io.RawIOBase):
    """A file that knows how many of its bytes have been read, also under a decompressor."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self.bytes_read = max(self.bytes_read, self._file.tell())
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def sniff(path: Path) -> FileKind:
    """Look at the beginning of a file. Raises `DataError` when there is nothing in it to learn from."""
    head = _read(path, None)
    compression = next((name for name, (magic, _) in _OPENERS.items() if head.startswith(magic)), "")
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        raise DataError(f"{path.name} is compressed with Zstandard. Unpack it first: `zstd -d {path.name}`.")
    if compression:
        head = _read(path, compression)
    if not head.strip(b"\x00 \t\r\n"):
        raise DataError(
            f"{path.name} is empty{' or holds only NUL bytes' if head.strip() else ''}. Choose another file."
        )
    if head.startswith(b"PAR1"):
        return FileKind("parquet", compression=compression)
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return FileKind("arrow", compression=compression)
    for magic, what, advice in _NOT_DATA:
        if head.startswith(magic):
            raise DataError(f"{path.name} is {what}. To use it, {advice}.")
    if head[257:262] == b"ustar":
        raise DataError(f"{path.name} is a tar archive. Unpack it first.")
    encoding, bom = _encoding(head)
    text = head[bom:].decode(encoding, "replace")
    if _MARKUP.match(head):
        raise DataError(f"{path.name} is XML or a web page. Export the data as JSON or CSV, or its text as .txt.")
    if encoding == "utf-8" and _looks_binary(head):
        raise DataError(f"{path.name} is no text: it may be a program, a picture, or encrypted. Choose another file.")
    suffix = path.name.lower().removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz").rpartition(".")[2]
    is_prose = suffix in ("txt", "md") and not _any_json_line(text)
    if _begins_json(text) and not is_prose:
        return FileKind("json", encoding, bom, compression)
    delimiter = _delimiter(suffix, text)
    if not delimiter and (suffix in ("json", "jsonl", "ndjson") or _any_json_line(text)):
        return FileKind("json", encoding, bom, compression)
    return FileKind("table" if delimiter else "text", encoding, bom, compression, delimiter)


def open_bytes(path: Path, kind: FileKind) -> tuple[BinaryIO, CountedFile]:
    """The content of the file, unpacked and after its byte order mark, and the file under it that counts."""
    counted = CountedFile(path)
    buffered: BinaryIO = cast(BinaryIO, io.BufferedReader(counted, 1 << 18))
    if kind.compression:
        buffered = _OPENERS[kind.compression][1](buffered, "rb")
    if kind.bom:
        buffered.read(kind.bom)
    return buffered, counted


def _read(path: Path, compression: str | None) -> bytes:
    try:
        if not compression:
            with path.open("rb") as file:
                return file.read(HEAD)
        return _read_broken(_OPENERS[compression][1](path, "rb"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_broken(file: BinaryIO) -> bytes:
    """The beginning of a compressed file, as far as it can be unpacked."""
    parts, length = [], 0
    with file:
        try:
            while length < HEAD and (part := file.read(min(1 << 16, HEAD - length))):
                parts.append(part)
                length += len(part)
        except (EOFError, OSError, lzma.LZMAError, ValueError):
            pass  # the rows before the break are still read, and the break reported, by `rows`
    return b"".join(parts)


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and the length of the byte order mark; without a mark, UTF-16 shows by its zeros."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    start = head[:4096]
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if len(start) >= 8 and odd > 0.3 * len(start[1::2]) and even < 0.05 * len(start):
        return "utf-16-le", 0
    if len(start) >= 8 and even > 0.3 * len(start[0::2]) and odd < 0.05 * len(start):
        return "utf-16-be", 0
    return "utf-8", 0


def _looks_binary(head: bytes) -> bool:
    start = head[:8192]
    control = sum(byte < 32 and byte not in (0, 9, 10, 12, 13, 27) for byte in start)
    return control > 0.02 * len(start) or start.count(0) > 0.3 * len(start)


def _begins_json(text: str) -> bool:
    return text.lstrip("\ufeff\x00 \t\r\n")[:1] in ("{", "[", '"') and not re.match(r'\s*"[^"\n]*"\s*[,;\t]', text)


def _any_json_line(text: str) -> bool:
    """Whether one of the first lines is JSON, an object or a list, or the text begins as one over several lines."""
    for line in text.splitlines()[:20]:
        if line.strip()[:1] in ("{", "["):
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                continue
            return True
    return bool(re.match(r'\s*[\[{]\s*["\[{]', text))


def _delimiter(suffix: str, text: str) -> str:
    """The delimiter of a table, or "" for anything else. Without a table's suffix, known names must be in it."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    found = ""
    for delimiter in ("\t", ",", ";", "|"):
        names = [normal(name.strip().strip('"')) for name in first.split(delimiter)]
        if len(names) < 2 or not rest.strip():
            continue
        if sum(name in KNOWN for name in names) >= 2:
            return delimiter
        if suffix in ("csv", "tsv", "tab") and (not found or len(names) > len(first.split(found))):
            found = delimiter
    if suffix in ("csv", "tsv", "tab") and not found:
        return "\t" if suffix in ("tsv", "tab") else ","
    return found
