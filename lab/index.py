"""The one write path into DuckDB: events of runs and actions of people become rows, each exactly once.

Rows and the position up to which a log was read are written in one transaction, so that a kill at any moment neither
loses nor doubles a row. Reading goes through `read`, one cursor per call: DuckDB's Python connections refuse to be
shared between threads.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import orjson

from lab.curves import Source
from lab.errors import RunError
from lab.index_rows import Piece, RunEntry, annotate, append, forget_rows, read_piece, write_pieces
from lab.journal import Journal
from lab.run_dir import RunDir
from lab.run_state import RunState
from lab.schema import is_disk_trouble, open_database, set_aside

if TYPE_CHECKING:
    import pandas

CHUNK = 1 << 22
"""Bytes of a log taken in one transaction."""
RUNS_AT_ONCE = 100
"""Runs taken in one transaction when there are many to take."""


class Index:
    """The database and what it holds of each run, in memory when `file` is None or the disk is full."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.notices: list[str] = []
        self._stopping = False
        self._writing = threading.RLock()
        self._open(file)

    # --- opening, closing, starting over -------------------------------------------------------------------------

    def _open(self, file: Path | None) -> None:
        try:
            self._connection, said = open_database(file)
        except OSError as error:
            self._connection, _ = open_database(None)
            said = f"{error} History is kept in memory until the next start; nothing of the runs themselves is lost."
        if said:
            self.notices.append(said)
        self._entries = self._load_entries()
        self._announced: dict[str, RunDir] = {}
        self._numbers = itertools.count(1 + max((entry.number for entry in self._entries.values()), default=0))

    def _load_entries(self) -> dict[str, RunEntry]:
        rows = self.read("select number, id, log_offset, log_file, state, about from run_index")
        return {
            id: RunEntry(number, offset, file, RunState.from_json(orjson.loads(state)), orjson.loads(about))
            for number, id, offset, file, state, about in rows
        }

    def start_over(self, error: Exception) -> None:
        """Set a database that turned out broken aside and begin an empty one; ingestion fills it again."""
        with self._writing:
            self._connection.close()
            file = self.file
            if is_disk_trouble(error) or file is None:
                self.file = file = None
                said = "The disk refused to take more of the history"
            else:
                said = f"The history file was damaged; it is kept as {set_aside(file).name}"
            self.notices.append(f"{said} ({str(error).splitlines()[0]}). It is made again from the run folders.")
            self._open(file)

    def is_usable(self) -> bool:
        """Whether the database can be read from end to end and written to."""
        try:
            for table in ("points", "texts", "run_index", "annotations"):
                self.read(f"select bit_xor(hash(t)) from {table} t")
            with self.transaction() as cursor:
                cursor.execute("update version set version = version")
        except duckdb.Error:
            return False
        return True

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with self._writing:
            self._connection.close()

    # --- reading -------------------------------------------------------------------------------------------------

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database; close it."""
        return self._connection.cursor()

    def read(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.cursor() as cursor:
            return cursor.execute(query, values or []).fetchall()

    def frame(self, query: str, values: list[Any] | None = None) -> pandas.DataFrame:
        """The same as a table."""
        with self.cursor() as cursor:
            return cursor.execute(query, values or []).df()

    def entry(self, run_id: str) -> RunEntry | None:
        """What is known of a run; None for one that was never taken in."""
        return self._entries.get(run_id)

    def name_of(self, run_id: str) -> str | None:
        """The name a person gave a run after it was made; None without one."""
        rows = self.read("select name from annotations where run_id = ?", [run_id])
        return rows[0][0] if rows else None

    def run_ids(self) -> list[str]:
        """Ids of all runs taken in."""
        return list(self._entries)

    def source(self, run_id: str) -> Source:
        """Where the points of a run are. Raises `RunError` for an unknown id."""
        number, entry = self.number(run_id), self._entries[run_id]
        return Source(self.read, number, dict(entry.state.attempts))

    def number(self, run_id: str) -> int:
        """The number of a run in the tables. Raises `RunError` for an unknown id."""
        entry = self._entries.get(run_id)
        if entry is None:
            raise RunError(f"There is no run {run_id!r} in this workspace.")
        return entry.number

    # --- writing -------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor whose writes all happen, or none. One at a time."""
        with self._writing, self.cursor() as cursor:
            cursor.begin()
            try:
                yield cursor
            except BaseException:
                cursor.rollback()
                raise
            cursor.commit()

    def take(self, run: RunDir) -> RunEntry:
        """Take in what a run's folder has by now that the tables do not. Raises `RunError` when it is not one."""
        with self._writing:
            end = run.events.stat().st_size if run.events.exists() else 0
            while (piece := self._read(run)) is not None:
                self._write([piece])
                if piece.entry.offset >= end or self._stopping:  # a log may grow faster than it is read
                    break
            return self._entries[run.id]

    def take_all(self, runs: Iterable[RunDir]) -> list[str]:
        """The same for many runs, many to a transaction; gives the ids of those whose folders could not be read."""
        unread: list[str] = []
        waiting = iter(runs)
        while not self._stopping and (some := list(itertools.islice(waiting, RUNS_AT_ONCE))):
            with self._writing:
                pieces = []
                for run in some:
                    try:
                        pieces += [piece] if (piece := self._read(run)) else []
                    except (RunError, OSError):
                        unread.append(run.id)
                self._write(pieces)
            for piece in pieces:
                if piece.is_full:
                    self.take(piece.run)
        return unread

    def _read(self, run: RunDir) -> Piece | None:
        """What a run's folder has that the tables do not, at most `CHUNK` bytes of log; None when there is nothing."""
        entry = self._entries.get(run.id)
        piece = read_piece(run, entry or RunEntry(next(self._numbers)), CHUNK)
        is_known = entry is not None and run.id not in self._announced and piece.entry.about == entry.about
        return None if is_known and piece.is_empty else piece

    def _write(self, pieces: list[Piece]) -> None:
        """One transaction for all of them."""
        if pieces:
            with self.transaction() as cursor:
                write_pieces(cursor, pieces)
            for piece in pieces:
                self._entries[piece.run.id] = piece.entry
                self._announced.pop(piece.run.id, None)

    def stop(self) -> None:
        """Have a `take` that goes on for long end after the piece it is at."""
        self._stopping = True

    def announce(self, run: RunDir, about: dict[str, Any]) -> None:
        """Know of a new run at once; its row is written by the next `take`."""
        self._announced[run.id] = run
        self._entries[run.id] = RunEntry(next(self._numbers), about=about)

    def write_announced(self) -> None:
        """Write the rows of runs that were only announced."""
        for run in list(self._announced.values()):
            try:
                self.take(run)
            except RunError:
                self._announced.pop(run.id, None)

    def forget(self, run_id: str) -> None:
        """Drop all rows of a run whose folder is gone."""
        with self.transaction() as cursor:
            number = self.number(run_id)
            forget_rows(cursor, number)
            cursor.execute("delete from run_index where number = ?", [number])
        del self._entries[run_id]

    def fold(self, journal: Journal) -> None:
        """Take in what the journal has that the tables do not."""
        with self.transaction() as cursor:
            rows = cursor.execute('select "offset" from journal_position').fetchall()
            start = rows[0][0] if rows else 0
            actions, end = journal.read(start)
            if end == start:
                return
            for action in actions:
                if action.kind == "annotate":
                    annotate(cursor, action.fields)
            cursor.execute("delete from journal_position")
            cursor.execute("insert into journal_position values (?)", [end])

    def replace_rows(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Put `rows` in place of all rows of a small table."""
        with self.transaction() as cursor:
            cursor.execute(f"delete from {table}")
            append(cursor, table, rows)
