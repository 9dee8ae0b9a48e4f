"""One training run as a person sees it: what it is, how it stands, and what can be asked of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import notebook
from lab.config import TrainingConfig
from lab.errors import RunError
from lab.index_rows import RunEntry
from lab.launcher import log_tail
from lab.run_dir import RunDir, read_jsonl, read_rows
from lab.run_state import ENDED, WANT_OF_MEMORY, Outcome

if TYPE_CHECKING:
    from lab.runs import Runs


Rows = list[dict[str, Any]]


class Run:
    """One run, by its id. Holds nothing: every property is read anew, so that it is never out of date."""

    def __init__(self, runs: Runs, id: str) -> None:
        self._runs = runs
        self._dir = RunDir(runs.folder / id)
        self.id = id

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status} {self.step}/{self.total_steps}>"

    def _repr_html_(self) -> str:
        facts = {"status": self.status, "step": f"{self.step} of {self.total_steps}", "model": self.model}
        trouble = " ".join(filter(None, (self.error, self.advice)))
        return notebook.run(self.id, facts, self.step / max(1, self.total_steps), trouble)

    # --- what it is ------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where everything of this run lies."""
        return self._dir.path

    @property
    def name(self) -> str:
        """The name a person gave it, or ""."""
        return self._runs.name_of(self.id)

    @property
    def algorithm(self) -> str:
        """The page in lab/algorithms that it runs."""
        return self._entry.about.get("algorithm", "")

    @property
    def config(self) -> TrainingConfig:
        """Its frozen settings."""
        return self._dir.config()

    @property
    def model(self) -> str:
        """The reference of its result."""
        return f"run:{self.id}"

    @property
    def created(self) -> float:
        """When it was made, in seconds since the epoch."""
        return float(self._entry.about.get("created") or 0.0)

    @property
    def attempt(self) -> int:
        """1, and one more for every time it was continued after it had ended."""
        return self._entry.about.get("attempt", 1)

    # --- how it stands ---------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """queued, starting, running, paused, finished, stopped, failed or crashed."""
        return self._outcome.status

    @property
    def error(self) -> str | None:
        """What went wrong, if something did."""
        return self._outcome.error or None

    @property
    def advice(self) -> str | None:
        """What to try about it."""
        return self._outcome.advice or None

    @property
    def step(self) -> int:
        """Steps done."""
        return self._entry.state.step

    @property
    def total_steps(self) -> int:
        """Steps to do."""
        return self._entry.state.total_steps or self.config.max_steps

    @property
    def seconds_left(self) -> float | None:
        """Time to the last step at the pace so far; None while there is no pace."""
        return self._entry.state.seconds_left

    @property
    def waits_for(self) -> str | None:
        """The id of the run that a queued run waits for; None when it does not wait for one."""
        return self._runs.holder() if self.status == "queued" else None

    @property
    def is_asked_to(self) -> str:
        """What was asked of it and not yet done: "stop", "pause" or ""."""
        if self.status in ENDED:
            return ""
        if self._dir.stop_requested:
            return "stop"
        return "pause" if self._dir.pause_requested and self.status != "paused" else ""

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        return log_tail(self._dir, lines)

    def checkpoints(self) -> list[int]:
        """The steps that have a checkpoint (`run:<id>@<step>`)."""
        return self._dir.checkpoint_steps()

    def rollouts(self, offset: int = 0) -> tuple[Rows, int]:
        """What is new since byte `offset` in the record of its watched completions (`lab/rollout_record.py`), and the
        offset for the next call."""
        return read_rows(self._dir.path / "rollouts.jsonl", offset)

    def votes(self) -> Rows:
        """The votes of a run of self-improvement (`lab/worker/self_improve.py`), each with the `right` answer that its
        data have: that is for who looks at it, the run has not seen it."""
        rows, _ = read_rows(self._dir.path / "votes.jsonl")
        if rows:
            wanted = {row["prompt"]: row for row in rows}
            for number, problem in enumerate(read_jsonl(self._dir.data / "train.jsonl")):
                if number in wanted:
                    wanted[number]["right"] = problem.get("answer", "")
        return rows

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until it has ended, well or badly. Raises `TimeoutError` when that takes more than `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.status not in ENDED:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Run {self.id} is {self.status} after {timeout:g} seconds.")
            time.sleep(0.05)
        return self

    # --- asking something of it ------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Ask it to save a checkpoint and wait. Raises `RunError` when it is not training."""
        if self.status not in ("starting", "running", "paused"):
            raise RunError(f"This run is {self.status}; only one that is training can pause.")
        self._runs.require_writable()
        self._dir.request_pause()

    def resume(self) -> None:
        """Go on: at once when it is paused, else from the last checkpoint, in the queue. Same id, same folder."""
        self._runs.resume(self._dir, self.status)

    @property
    def smaller(self) -> TrainingConfig | None:
        """The settings that need less memory for the same steps, for one that ended for want of it; None for others."""
        ended_for_memory = self.status in ("failed", "crashed") and self._outcome.error in WANT_OF_MEMORY
        return self.config.smaller() if ended_for_memory else None

    def retry_smaller(self) -> None:
        """Go on from the last checkpoint with each batch in twice as many parts: half the memory, the same steps.
        Raises `RunError` when it did not end for want of memory, or its parts cannot be smaller."""
        if (config := self.smaller) is None:
            raise RunError("This run did not end for want of memory, or its batches cannot be cut any smaller.")
        self._runs.resume(self._dir, self.status, config)

    def stop(self) -> None:
        """Ask it to end after the current step and keep what it has learned. Nothing happens to one that has ended."""
        self._runs.stop(self._dir, self.status)

    def kill(self) -> None:
        """End its processes at once; its last checkpoint stays. Nothing happens to one that has ended."""
        self._runs.kill(self._dir, self.status)

    @property
    def _entry(self) -> RunEntry:
        return self._runs.entry(self.id)

    @property
    def _outcome(self) -> Outcome:
        return self._entry.outcome
