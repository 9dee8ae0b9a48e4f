"""What a run's events add up to: its state, step and times. A pure fold, so that it can stop and go on anywhere.

    queued → starting → running ⇄ paused → finished · stopped · failed · crashed

`queued` and `crashed` are said by the app (in run.json), everything else by the worker (in its events). The worker's
own last event decides: `crashed` is only for an attempt that is gone without one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

from lab.errors import RunError
from lab.events import ENDINGS, Event, decode_number, encode_number

ENDED = {"finished", "stopped", "failed", "crashed"}
"""States that a run does not leave by itself."""
WANT_OF_MEMORY = {"There is not enough memory for this run.", "It ran out of memory.", "The system ended it."}
"""What is said of a run that ended for want of memory: by the worker, by its log, by its exit code (most often)."""
RESUMABLE = {"paused", "stopped", "failed", "crashed"}
"""States from which `resume` goes on."""


@dataclass
class Attempt:
    """Where an attempt began to write numbers: its first step, and the `seq` of that event."""

    first_step: int
    first_seq: int


@dataclass
class Curve:
    """The last point of a curve, and its smallest finite value (None before there is one)."""

    step: int
    value: float
    best: float | None = None

    def take(self, step: int, value: float) -> None:
        """Add a point."""
        self.step, self.value = step, value
        if math.isfinite(value) and (self.best is None or value < self.best):
            self.best = value

    def to_json(self) -> list[Any]:
        """The summary as JSON values."""
        return [self.step, encode_number(self.value), self.best]

    @classmethod
    def from_json(cls, values: list[Any]) -> Curve:
        """The summary from `to_json()`'s values."""
        step, value, best = values
        return cls(step, decode_number(value), best)


@dataclass
class RunState:
    """The sum of a run's events so far. Times are seconds since the epoch, durations seconds."""

    status: str = "starting"
    attempt: int = 0
    seq: int = 0
    step: int = 0
    total_steps: int = 0
    started: float | None = None
    updated: float | None = None
    ended: float | None = None
    active: float = 0.0
    """Time spent training: over all attempts, without pauses and without what lay between attempts."""
    error: str = ""
    advice: str = ""
    device: str = ""
    world_size: int = 0
    parameters: int = 0
    trainable_parameters: int = 0
    first_step: int | None = None
    first_active: float = 0.0
    """Step and active time at the first metrics of this attempt: what the time left is reckoned from."""
    attempts: dict[int, Attempt] = field(default_factory=dict)
    """Every attempt that has written numbers, by its number."""
    curves: dict[str, Curve] = field(default_factory=dict)
    """Every curve, by its name."""

    def take(self, event: Event) -> None:
        """Add one event. Raises `KeyError` or `TypeError`, and changes nothing, for one that is malformed."""
        fields = event.fields
        step = int(fields["step"]) if event.type in {"metrics", *ENDINGS, "paused", "continued"} else self.step
        if event.attempt > self.attempt:
            self._begin_attempt(event.attempt)
        elif self.status == "running" and self.updated is not None:
            self.active += max(0.0, event.time - self.updated)
        self.seq = max(self.seq, event.seq)
        self.updated = event.time
        if event.type == "started":
            self._take_started(event)
        elif event.type == "metrics":
            self._take_metrics(event, step)
        elif event.type in ("paused", "continued"):
            self.status = "paused" if event.type == "paused" else "running"
        elif event.type in ENDINGS:
            self.status, self.step, self.ended = event.type, step, event.time
            self.error, self.advice = str(fields.get("error", "")), str(fields.get("advice", ""))

    def _begin_attempt(self, attempt: int) -> None:
        self.attempt, self.status = attempt, "starting"
        self.ended, self.error, self.advice = None, "", ""
        self.first_step, self.first_active = None, self.active

    def _take_started(self, event: Event) -> None:
        self.status = "running"
        self.started = self.started or event.time
        for name in ("total_steps", "device", "world_size", "parameters", "trainable_parameters"):
            setattr(self, name, event.fields.get(name, getattr(self, name)))

    def _take_metrics(self, event: Event, step: int) -> None:
        if self.first_step is None:
            self.first_step, self.first_active = step, self.active
        self.step = step
        attempt = self.attempts.setdefault(event.attempt, Attempt(step, event.seq))
        attempt.first_step = min(step, attempt.first_step)
        for name, value in event.fields["values"].items():
            number = float(decode_number(value))
            self.curves.setdefault(name, Curve(step, number)).take(step, number)

    @property
    def seconds_left(self) -> float | None:
        """Time to the last step at this attempt's pace so far; None before there is a pace."""
        if self.status not in ("running", "paused") or self.first_step is None or self.step <= self.first_step:
            return None
        pace = (self.active - self.first_active) / (self.step - self.first_step)
        return max(0, self.total_steps - self.step) * pace

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["attempts"] = {str(number): dataclasses.astuple(a) for number, a in self.attempts.items()}
        values["curves"] = {name: curve.to_json() for name, curve in self.curves.items()}
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunState:
        """The state from `to_json()`'s values."""
        attempts = {int(number): Attempt(*about) for number, about in values["attempts"].items()}
        curves = {name: Curve.from_json(curve) for name, curve in values["curves"].items()}
        return cls(**values | {"attempts": attempts, "curves": curves})


@dataclass(frozen=True)
class Outcome:
    """How a run stands, and if badly, what happened and what to try."""

    status: str
    error: str = ""
    advice: str = ""


def checked_about(about: Any, file: Path) -> dict[str, Any]:
    """A run.json that this module can use. Raises `RunError` for one that somebody broke."""
    is_usable = (
        isinstance(about, dict)
        and type(about.get("attempt", 1)) is int
        and 1 <= about.get("attempt", 1) < 1 << 31
        and type(about.get("queue")) in (int, NoneType)
        and isinstance(about.get("outcome") or {}, dict)
        and (about.get("outcome") or {"status": "stopped"}).get("status") in ENDED
    )
    if not is_usable:
        raise RunError(f"{file} is not what a run.json has to be. Put it right, or delete the folder.")
    return about


def outcome_of(about: dict[str, Any], state: RunState) -> Outcome:
    """How a run stands, from its run.json and the sum of its events."""
    attempt = about.get("attempt", 1)
    if state.attempt >= attempt and state.status in ENDINGS:
        return Outcome(state.status, state.error, state.advice)
    said = about.get("outcome") or {}
    if said.get("attempt") == attempt:
        return Outcome(said["status"], said.get("error", ""), said.get("advice", ""))
    if about.get("queue") is not None:
        return Outcome("queued")
    if state.attempt >= attempt:
        return Outcome(state.status)
    return Outcome("starting")
