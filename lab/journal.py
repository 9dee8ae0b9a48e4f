"""What people did: names, notes, tags, added models, uploaded sets, votes. Nothing here can be computed again.

One JSON line per action, flushed to the disk before the action is acknowledged, then folded into DuckDB; an action's id
makes both idempotent: the same id is written once and counts once, however often it arrives.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError


@dataclass(frozen=True)
class Action:
    """One thing a person did. `fields` holds what its kind adds."""

    id: str
    time: float
    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """The action as one line of JSON, newline included."""
        head = {"id": self.id, "time": round(self.time, 3), "kind": self.kind}
        return json.dumps(head | self.fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Action:
        """The action from its line. Raises `ValueError` when the line is not an action."""
        values = json.loads(line)
        try:
            head = {key: values.pop(key) for key in ("id", "time", "kind")}
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"not an action: {line[:80]!r}") from error
        return cls(**head, fields=values)


class Journal:
    """The journal of a workspace. Safe to use from several threads of the one process that owns the workspace."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._ids = {action.id for action in self.actions()}

    def append(self, kind: str, fields: dict[str, Any], id: str | None = None, *, sync: bool = True) -> Action:
        """Write down an action and give it back once it is on the disk (without `sync` once it is in the file: the next
        synced action takes it to the disk).

        With the `id` of an action that is already there, nothing is written and that action is given back. Raises
        `LabError` when it could not be written; then nothing of it is left in the file.
        """
        if self._read_only:
            raise LabError(f"{self.path.parent} cannot be written to, so this cannot be saved.")
        with self._lock:
            if id in self._ids:
                return next(action for action in self.actions() if action.id == id)
            action = Action(id or secrets.token_hex(8), round(time.time(), 3), kind, fields)
            self._write(action.to_line(), sync)
            self._ids.add(action.id)
        return action

    def _write(self, line: bytes, sync: bool) -> None:
        try:
            is_new = not self.path.exists()
            with self.path.open("r+b" if not is_new else "w+b", buffering=0) as file:
                whole = _end_of_complete_lines(file)
                file.truncate(whole)
                file.seek(whole)
                try:
                    _write_through(file, line, sync)
                except OSError:
                    file.truncate(whole)
                    raise
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise LabError(f"This could not be saved to {self.path}: {error}. Make room and try again.") from error

    def actions(self) -> list[Action]:
        """All actions, in order. A torn last line, or one that is not an action, is passed over."""
        return self.read(0)[0]

    def read(self, offset: int) -> tuple[list[Action], int]:
        """The actions after byte `offset`, each id once, and the offset after the last complete line."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                chunk = file.read()
        except FileNotFoundError:
            return [], offset
        complete = chunk[: chunk.rfind(b"\n") + 1]
        found: dict[str, Action] = {}
        for line in complete.splitlines():
            try:
                action = Action.from_line(line)
            except ValueError:
                continue
            found.setdefault(action.id, action)
        return list(found.values()), offset + len(complete)


def _end_of_complete_lines(file: Any) -> int:
    """The size of an open file without a torn last line (its writer was killed, nobody was told it was saved)."""
    size = file.seek(0, os.SEEK_END)
    reach = min(size, 1 << 20)
    while True:
        file.seek(size - reach)
        at = file.read(reach).rfind(b"\n")
        if at >= 0:
            return size - reach + at + 1
        if reach == size:
            return 0
        reach = min(size, reach * 8)


def _write_through(file: Any, line: bytes, sync: bool) -> None:
    written = file.write(line)
    if written != len(line):
        raise OSError(f"only {written} of {len(line)} bytes could be written")
    if sync:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable (not needed, and not possible, on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
