"""The thread that gives the one device to one run after the other, and notices when a worker is gone.

What is true of a run stands in its folder: in run.json what the app decided (queued, launched, given up as crashed), in
events.jsonl what the worker said. So a new app that finds the folders goes on where a killed one was.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from lab.config import TrainingConfig
from lab.errors import LabError, ModelError, RunError
from lab.events import ENDINGS
from lab.history import History
from lab.index import Index
from lab.index_rows import RunEntry
from lab.ingest import Ingest
from lab.launcher import Launcher, Worker, versions, why_crashed
from lab.run_dir import RunDir
from lab.run_state import ENDED

TICK_SECONDS = 0.1
LINGER_SECONDS = 60.0
"""How long a worker may go on living after it said that it ended, before its group is killed."""
LAUNCH_SECONDS = 5.0
"""How long after a launch a worker without a pid in run.json is looked for before the launch counts as not made."""

Freeze = Callable[[RunDir], dict[str, Any]]
"""Writes a run's data into its folder; gives what to add to run.json. Raises `LabError` when that cannot be done."""


class Supervisor:
    """Queue, launches and outcomes of the runs under `runs`. All changes of a run.json happen under `changing`."""

    def __init__(
        self, runs: Path, index: Index, history: History, ingest: Ingest, launcher: Launcher, freeze: Freeze
    ) -> None:
        self._runs = runs
        self._index = index
        self._history = history
        self._ingest = ingest
        self._launcher = launcher
        self._freeze = freeze
        self.changing = threading.RLock()
        self.reconciled = threading.Event()
        """Set once the runs of an earlier app were looked at."""
        self._active: dict[str, Worker | None] = {}
        """Runs whose worker lives, or did at the last look."""
        self._wake = threading.Event()
        self._closing = False
        self.give_up_gpu: Callable[[], None] = lambda: None
        """Called before a launch: has the model process give up the GPU, if it holds one."""
        self.trouble = ""
        """What kept the queue from going on at the last tick, for the page to show; "" when nothing did."""
        self._unfrozen: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._watch, name="supervisor", daemon=True),
            threading.Thread(target=self._freeze_all, name="freezer", daemon=True),
        ]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop watching. The runs go on."""
        self._closing = True
        self._wake.set()
        self._unfrozen.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=10)

    # --- what people ask for (called by lab/runs.py) ----------------------------------------------------------------

    def add(self, config: TrainingConfig, about: dict[str, Any]) -> RunDir:
        """Make the folder of a new run, at the end of the queue. Raises `RunError` when it cannot be made."""
        try:
            run = RunDir.create(self._runs, config, about | {"frozen": False, "queue": self._last_place() + 1})
        except OSError as error:
            raise RunError(f"No folder for the run could be made in {self._runs}: {error}.") from error
        self._index.announce(run, run.about())
        self._ingest.nudge()
        self._unfrozen.put(run.id)
        return run

    def requeue(self, run: RunDir, **about: Any) -> None:
        """Put a run that had ended at the end of the queue again."""
        with self.changing:
            self._change(run, queue=self._last_place() + 1, outcome=None, **about)
            if not run.about().get("frozen"):
                self._unfrozen.put(run.id)
        self._wake.set()

    def end(self, run: RunDir, status: str, error: str = "", advice: str = "") -> None:
        """Say how a run's current attempt stands when its worker did not say it (or never started)."""
        with self.changing:
            attempt = run.about().get("attempt", 1)
            outcome = {"attempt": attempt, "status": status, "error": error, "advice": advice}
            self._change(run, queue=None, outcome=outcome)

    def kill(self, run: RunDir) -> None:
        """End a run's processes at once. Raises `RunError` when they cannot be ended."""
        with self.changing:
            worker = self._active.get(run.id) or self._worker_of(run)
            if worker is not None and not self._launcher.kill(run, worker):
                raise RunError(f"Process {worker.pid} of this run could not be ended. End it by hand.")
            self._active.pop(run.id, None)
            if self._ingest.take(run).state.status not in ENDINGS:
                self.end(run, "crashed", "Somebody killed it.", "Continue it to go on from its last checkpoint.")

    def holder(self) -> str | None:
        """The id of the run that has the device; None when it is free."""
        return next(iter(self._active), None)

    def waiting(self) -> list[str]:
        """Ids of the queued runs, the next one first."""
        queued = [(id, entry.about) for id, entry in self._entries() if entry.outcome.status == "queued"]
        return [id for id, about in sorted(queued, key=lambda run: (run[1]["queue"], run[1].get("created") or 0))]

    def reconcile(self) -> list[str]:
        """Look at every run that should be alive; gives the ids of those that turned out to be dead or not started."""
        changed = []
        with self.changing:
            for run_id, entry in self._entries():
                if run_id not in self._active and self._reconcile(RunDir(self._runs / run_id), entry):
                    changed.append(run_id)
        self._wake.set()
        return changed

    # --- after a restart -------------------------------------------------------------------------------------------

    def _reconcile(self, run: RunDir, entry: RunEntry) -> bool:
        """Watch a run whose worker lives; settle one whose worker is gone. True when it was gone."""
        status = entry.outcome.status
        if status == "queued" and not entry.about.get("frozen"):
            self._unfrozen.put(run.id)
        worker = Worker.from_json(entry.about.get("process"))
        if self._launcher.is_alive(run, worker):
            self._active[run.id] = worker or self._launcher.find(run)
            return False
        if status in {"queued", *ENDED}:
            return False
        if worker is None and (found := self._launcher.find(run)):
            self._active[run.id] = found
            self._change(run, process=found.to_json())
            return False
        if worker is None and entry.state.attempt < entry.about.get("attempt", 1) and "launched" in entry.about:
            self._change(run, queue=0)
        else:
            self._settle(run, worker)
        return True

    def _worker_of(self, run: RunDir) -> Worker | None:
        worker = Worker.from_json(run.about().get("process"))
        return worker if self._launcher.is_alive(run, worker) and worker else self._launcher.find(run)

    # --- the threads -----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._history.caught_up.wait()
        self._try(self.reconcile)
        self.reconciled.set()
        while not self._closing:
            for run_id in list(self._active):
                self._try(self._look_after, RunDir(self._runs / run_id))
            self._try(self._launch_next)
            self._wake.wait(TICK_SECONDS if self._active else 1.0)
            self._wake.clear()

    def _try(self, action: Callable[..., Any], *values: Any) -> None:
        """Do what a full disk or a deleted folder can make impossible now; it is tried again at the next tick."""
        try:
            action(*values)
            self.trouble = ""
        except (LabError, OSError, duckdb.Error) as error:
            self.trouble = str(error)

    def _look_after(self, run: RunDir) -> None:
        with self.changing:
            worker = self._active.get(run.id)
            if not run.path.exists():
                self._active.pop(run.id, None)
            elif not self._launcher.is_alive(run, worker):
                self._active.pop(run.id, None)
                self._settle(run, worker)
            elif worker is not None and self._lingers(run.id):
                self._launcher.kill(run, worker)

    def _lingers(self, run_id: str) -> bool:
        entry = self._index.entry(run_id)
        ended = entry.state.ended if entry and entry.outcome.status in ENDINGS else None
        return ended is not None and time.time() - ended > LINGER_SECONDS

    def _settle(self, run: RunDir, worker: Worker | None) -> None:
        """The worker is gone: its last event decides; without one the run crashed (unless it was queued again)."""
        if self._ingest.take(run).outcome.status not in {"queued", *ENDED}:
            code = self._launcher.exit_code(worker) if worker else None
            if worker:
                self._launcher.kill(run, worker)
            self.end(run, "crashed", *why_crashed(run, code))

    def _launch_next(self) -> None:
        with self.changing:
            ready = [id for id in self.waiting() if self._is_frozen(id)]
            if not self._active and ready and not self._closing:
                self._launch(RunDir(self._runs / ready[0]))

    def _is_frozen(self, run_id: str) -> bool:
        entry = self._index.entry(run_id)
        return bool(entry and entry.about.get("frozen"))

    def _launch(self, run: RunDir) -> None:
        run.clear_requests()
        try:
            processes = run.config().processes
            self._change(run, queue=None, process=None, launched=time.time())
            with contextlib.suppress(ModelError):  # a model process that is gone holds nothing
                self.give_up_gpu()
            worker, command = self._launcher.launch(run, processes)
        except LabError as error:
            self.end(run, "failed", str(error))
            return
        self._active[run.id] = worker
        self._change(run, process=worker.to_json(), command=command, versions=versions())

    def _freeze_all(self) -> None:
        versions()  # takes a tenth of a second the first time: here nobody waits for it
        self._history.caught_up.wait()
        while (run_id := self._unfrozen.get()) is not None and not self._closing:
            self._freeze_one(RunDir(self._runs / run_id))
            self._wake.set()

    def _freeze_one(self, run: RunDir) -> None:
        try:
            added = self._freeze(run) | {"frozen": True}
        except (LabError, OSError) as error:
            with self.changing:
                if self._index_again(run).outcome.status == "queued":
                    self._try(self.end, run, "failed", str(error), "Put it right and continue the run.")
            return
        with self.changing:
            self._try(lambda: self._change(run, **added))

    # --- small things ----------------------------------------------------------------------------------------------

    def _entries(self) -> list[tuple[str, RunEntry]]:
        found = ((run_id, self._index.entry(run_id)) for run_id in self._index.run_ids())
        return [(run_id, entry) for run_id, entry in found if entry is not None]

    def _last_place(self) -> int:
        return max((entry.about.get("queue") or 0 for _, entry in self._entries()), default=0)

    def _change(self, run: RunDir, **values: Any) -> None:
        """Change a run.json and have the index know it at once."""
        run.update(**values)
        self._index_again(run)

    def _index_again(self, run: RunDir) -> RunEntry:
        entry = self._ingest.take(run)
        self._ingest.nudge()
        return entry
