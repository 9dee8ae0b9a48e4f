"""A stored data set on disk: written under another name and renamed when whole, so that a crash leaves all or nothing.

<name>/rows.jsonl      one example a line            <name>/problems.jsonl   the rows that were not taken
<name>/keys.u64        8 bytes of each row's hash    <name>/original/<file>  what was uploaded, as it was
<name>/about.json      kind, rows, source, what was noticed, the report
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from lab.errors import DataError
from lab.readers import ImportReport
from lab.readers.census import Census
from lab.readers.format import Record
from lab.run_dir import write_json

_CHUNK = 1 << 20
_REPLACED = ".replaced-"


def to_line(values: Any) -> bytes:
    """A JSON value as a line; also what orjson refuses (numbers of any size, half surrogate pairs)."""
    try:
        return orjson.dumps(values) + b"\n"
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(values, default=str).encode() + b"\n"


class StoredDataset:
    """One folder of the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows_file = folder / "rows.jsonl"
        self._keys_file = folder / "keys.u64"

    def about(self) -> dict[str, Any]:
        """The contents of about.json. Raises `DataError` when it is missing or broken."""
        try:
            return json.loads((self.folder / "about.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"The data set in {self.folder} is damaged ({error}). Remove it and add it again."
            ) from error

    def lines(self) -> Iterator[bytes]:
        """The rows as they are stored."""
        with self.rows_file.open("rb") as file:
            yield from file

    def keys(self) -> array[int]:
        """The first 8 bytes of each row's hash, in the order of the rows."""
        keys: array[int] = array("Q")
        keys.frombytes(self._keys_file.read_bytes())
        return keys

    def write_rows(
        self, records: Iterable[Record], census: Census, drop: frozenset[str] = frozenset()
    ) -> tuple[int, int]:
        """Write the rows and their keys, noticing what there is to notice; rows in which something of `drop` is noticed
        are left out. Gives the numbers of rows written and left out."""
        keys: array[int] = array("Q")
        left_out = 0
        with self.rows_file.open("wb") as file:
            for record in records:
                look = census.look(record)
                if look.found & drop:
                    left_out += 1
                    continue
                census.count(look)
                file.write(to_line(record.to_json()))
                keys.append(look.number)
            _flush(file)
        with self._keys_file.open("wb") as file:
            keys.tofile(file)
            _flush(file)
        return len(keys), left_out

    def write_problems(self, report: ImportReport) -> None:
        """Write every row that was not taken, and every row that was put right."""
        with (self.folder / "problems.jsonl").open("wb") as file:
            file.writelines(to_line(asdict(problem)) for problem in report.problems)
            file.writelines(to_line({"row": fix.row, "fixed": fix.what}) for fix in report.fixed)
            _flush(file)

    def keep_original(self, path: Path, stop: Callable[[], None]) -> str:
        """Copy the uploaded file and give its SHA-256; `stop` is called often, and raises when it is enough."""
        folder = self.folder / "original"
        folder.mkdir()
        digest = hashlib.sha256()
        with path.open("rb") as source, (folder / path.name).open("wb") as target:
            while chunk := source.read(_CHUNK):
                stop()
                digest.update(chunk)
                target.write(chunk)
            _flush(target)
        return digest.hexdigest()

    def write_about(self, about: dict[str, Any]) -> None:
        """Write about.json, the last file of a set."""
        write_json(self.folder / "about.json", about)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


@contextmanager
def new_folder(store: Path) -> Iterator[Path]:
    """A folder in which a set can be written before it has its name; what has not got one by the end is deleted."""
    folder = store / f".importing-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise DataError(f"The data set cannot be written to {store}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(temporary: Path, final: Path, acknowledge: Callable[[], None]) -> None:
    """Give a written set its name, in place of an earlier one. When `acknowledge` raises, all is as it was."""
    old = final.with_name(f"{_REPLACED}{secrets.token_hex(4)}-{final.name}") if final.exists() else None
    if old is not None:
        final.rename(old)
    try:
        temporary.rename(final)
        acknowledge()
    except BaseException:
        if final.exists():
            final.rename(temporary)
        if old is not None:
            old.rename(final)
        raise
    _flush_folder(final.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a set; a crash in the middle leaves nothing that has its name."""
    gone = folder.with_name(f".removed-{secrets.token_hex(4)}")
    folder.rename(gone)
    _flush_folder(folder.parent)
    shutil.rmtree(gone, ignore_errors=True)


def clean_up(store: Path) -> None:
    """Delete what an earlier process left half-written; a set that was about to be replaced gets its name back."""
    for old in store.glob(f"{_REPLACED}*"):
        final = store / old.name.removeprefix(_REPLACED).partition("-")[2]
        if not final.exists():
            old.rename(final)
    for pattern in (".importing-*", ".removed-*", f"{_REPLACED}*"):
        for folder in store.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def split(keys: array[int], heldout_fraction: float, seed: int) -> set[int]:
    """The keys that are held out. Whether one is depends on the row's content and the seed alone, so that a row stays
    on its side when others come or go; of two or more different rows at least one is held out and one is not."""
    distinct = set(keys)
    if heldout_fraction <= 0 or len(distinct) < 2:
        return set()
    salt = seed.to_bytes(8, "little", signed=True)
    place = {
        key: int.from_bytes(hashlib.blake2b(key.to_bytes(8, "little"), key=salt, digest_size=8).digest(), "little")
        for key in distinct
    }
    heldout = {key for key in distinct if place[key] < heldout_fraction * 2**64}
    if not heldout:
        return {min(distinct, key=lambda key: place[key])}
    if len(heldout) == len(distinct):
        heldout.remove(max(distinct, key=lambda key: place[key]))
    return heldout


def write_split(lines: Iterable[tuple[int, bytes]], heldout: set[int], folder: Path) -> tuple[int, int]:
    """Write (key, line) pairs to train.jsonl and heldout.jsonl in `folder`; gives the rows of each. Each file appears
    when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("train.jsonl", "heldout.jsonl")
    temporary = [folder / f".{name}.{secrets.token_hex(4)}" for name in names]
    counts = [0, 0]
    try:
        with temporary[0].open("wb") as train, temporary[1].open("wb") as kept:
            for key, line in lines:
                side = int(key in heldout)
                (train, kept)[side].write(line)
                counts[side] += 1
            _flush(train)
            _flush(kept)
        for path, name in zip(temporary, names):
            path.replace(folder / name)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)
    return counts[0], counts[1]


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename last; Windows has no such thing and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
