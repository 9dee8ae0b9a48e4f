"""The thread that keeps the index up to date with the run folders while people look at it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb

from lab.errors import RunError
from lab.history import History
from lab.index import Index
from lab.index_rows import RunEntry
from lab.journal import Journal
from lab.run_dir import RunDir
from lab.run_state import ENDED
from lab.schema import is_broken, is_disk_trouble

LIVE_SECONDS = 0.25
"""Between two looks at the logs of runs that are under way."""
IDLE_SECONDS = 1.0
"""The same when nothing runs."""
SCAN_SECONDS = 3.0
"""Between two looks for folders that were copied in or deleted by hand."""


class Ingest:
    """Follows the logs of a workspace's runs. One thread; `take` may be called from any other."""

    def __init__(self, index: Index, history: History, runs: Path, journal: Journal) -> None:
        self._index = index
        self._history = history
        self._runs = runs
        self._journal = journal
        self._wake = threading.Event()
        self._closing = False
        self._scanned = 0.0
        self._seen: dict[str, tuple[int, ...]] = {}
        self._mending = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="ingest", daemon=True)
        history.mend = self._mend

    def start(self) -> None:
        """Begin to follow. The first round takes in everything there is."""
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._closing = True
        self._index.stop()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def nudge(self) -> None:
        """Look again at once: a run has begun."""
        self._wake.set()

    def take(self, run: RunDir) -> RunEntry:
        """Take in all that a run's folder holds by now. Raises `RunError` when it is not the folder of a run."""
        try:
            return self._index.take(run)
        except duckdb.Error as error:
            self._mend(error)
            return self._index.take(run)

    def catch_up(self) -> None:
        """Take in what all folders and the journal hold by now."""
        self._fold()
        self._scan()

    # --- the thread ----------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        try:
            self._follow_on()
        except duckdb.Error:
            if not self._closing:
                raise

    def _follow_on(self) -> None:
        self.catch_up()
        self._history.caught_up.set()
        while not self._closing:
            live = self._live()
            for run_id in live:
                self._take_quietly(run_id)
            if time.monotonic() - self._scanned > SCAN_SECONDS:
                self._scan()
            self._wake.wait(LIVE_SECONDS if live else IDLE_SECONDS)
            self._wake.clear()

    def _live(self) -> list[str]:
        ids = self._index.run_ids()
        entries = ((run_id, self._index.entry(run_id)) for run_id in ids)
        return [run_id for run_id, entry in entries if entry and (entry.outcome.status not in ENDED)]

    def _scan(self) -> None:
        """Look at every folder; read those that changed since the last look; forget those that are gone."""
        self._scanned = time.monotonic()
        names = {path.parent.name for path in self._runs.glob("*/run.json")}
        stamps = {name: _stamps(RunDir(self._runs / name)) for name in names}
        changed = [name for name in sorted(names) if self._seen.get(name) != stamps[name]]
        unread = self._take_all(changed)
        self._seen |= {name: stamps[name] for name in changed if name not in unread}
        for name in set(self._index.run_ids()) - names:
            if not (self._runs / name).exists():
                self._forget(name)

    def _take_all(self, names: list[str]) -> list[str]:
        runs = [RunDir(self._runs / name) for name in names]
        try:
            return self._index.take_all(runs)
        except duckdb.Error as error:
            self._mend(error)
            return names

    def _take_quietly(self, run_id: str) -> bool:
        """Take in a run unless its folder is unusable at the moment (half copied, being deleted)."""
        try:
            self.take(RunDir(self._runs / run_id))
        except (RunError, OSError):
            return False
        return True

    def _forget(self, run_id: str) -> None:
        self._seen.pop(run_id, None)
        try:
            self._index.forget(run_id)
        except duckdb.Error as error:
            self._mend(error)

    def _fold(self) -> None:
        try:
            self._index.fold(self._journal)
        except duckdb.Error as error:
            self._mend(error)

    def _mend(self, error: Exception) -> None:
        """Begin a new database in place of a broken one and fill it. Raises `error` again when it is not broken."""
        if not is_broken(error):
            raise error
        with self._mending:
            is_full = is_disk_trouble(error) and self._index.file is not None
            if is_full or not self._index.is_usable():
                self._index.start_over(error)
                self._seen.clear()
                self.catch_up()


def _stamps(run: RunDir) -> tuple[int, ...]:
    """What changes when a run's folder does: time and size of run.json and of the log."""
    stamps: list[int] = []
    for path in (run.run_file, run.events):
        try:
            about = path.stat()
            stamps += [about.st_mtime_ns, about.st_size, about.st_ino]
        except FileNotFoundError:
            stamps += [0, 0, 0]
    return tuple(stamps)
