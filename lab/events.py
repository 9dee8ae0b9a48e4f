"""What a run says while it trains: typed events, one JSON line each, appended by rank 0 to `events.jsonl`.

The event log is the truth about a run; DuckDB only indexes it. Every line has `seq` (1, 2, 3, … without a gap),
`time` (seconds since the epoch), `type`, `attempt` (1, and one more at every resume), and the fields of its type:

    started      total_steps, world_size, device, parameters, trainable_parameters
    metrics      step, values {name: number}; names are the keys of METRICS
    sample       step, prompt, text; both as the person would read them
    checkpoint   step, folder (relative to the run)
    paused, continued    step
    message      text: something worth knowing that is not an error
    finished     step: ran to its end       stopped   step: ended early because somebody asked; both saved a model
    failed       step, error, advice, traceback

Infinite and undefined numbers are written as the strings "inf", "-inf" and "nan", so that a line is always valid JSON.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

ENDINGS = {"finished", "stopped", "failed"}
"""The types of event that end an attempt; the last of them decides a run's outcome."""

METRICS: dict[str, str] = {
    "loss/train": "Mean −log p of the tokens trained on, in nats per token; of labels, of what people preferred, in "
    "nats per pair. Lower is better.",
    "loss/heldout": "The same on examples kept aside. Rising while the training loss falls means learning by heart.",
    "accuracy/train": "Share of the trained tokens that were the model's first choice; of labels, of the pairs whose "
    "chosen reply got the higher reward.",
    "accuracy/heldout": "The share that is right of what was kept aside: of problems, answered with the most probable "
    "words; of labels, the pairs whose chosen reply got the higher reward (a coin reaches half).",
    "accuracy/heldout_low": "Lower end of the 95 % interval of the held-out accuracy (Wilson).",
    "accuracy/heldout_high": "Upper end of the 95 % interval of the held-out accuracy (Wilson).",
    "calibration/heldout": "How far the model's certainty is from how often it is right, on average over held-out "
    "pairs. 0 is honest; high means it is surer than it should be.",
    "reward/chosen": "Mean reward of the chosen replies. In DPO it is β times the change of their log-probability: "
    "below 0 they too have become less probable.",
    "reward/rejected": "Mean reward of the rejected replies.",
    "margin/train": "Mean reward of the chosen replies less that of the rejected ones.",
    "margin/heldout": "The same margin on pairs kept aside.",
    "bits_per_byte/heldout": "Bits needed per byte of held-out text; comparable between tokenizers.",
    "learning_rate": "Size of the step, after warm-up and decay.",
    "grad_norm": "Length of the gradient before it is cut to the limit. Spikes mean a batch the model found strange.",
    "loss/policy": "The loss of the policy. Its gradient is what matters; its value says little.",
    "loss/value": "Mean squared error of the value network's forecasts of the reward.",
    "reward/mean": "Mean reward of the completions sampled at this step. What training makes larger.",
    "reward/gold": "What the small world itself says of them. Falls while the reward rises: the reward is fooled.",
    "accuracy/begun": "The same with the first words of a worked answer given: what is gained besides the style.",
    "kl/reference": "How far the policy has moved from where it started, in nats per completion.",
    "kl/coefficient": "How strongly the policy is held to its reference at this step.",
    "entropy/policy": "How undecided the policy is: mean −log p of what it wrote. Near 0 all samples are the same.",
    "length/completion": "Tokens per completion.",
    "share/cut": "Share of the completions that were cut off at the longest length.",
    "share/signal": "Share of the questions whose completions were not all equally good: the others teach nothing.",
    "share/clipped": "Share of the tokens that moved too far from the policy that wrote them to be pushed further.",
    "share/unjudged": "Share of the completions on which the reward failed; they teach nothing.",
    "share/sampling": "Share of the time that went into writing completions; the rest went into learning from them.",
    "tokens_per_second": "Tokens read per second, padding not counted.",
    "tokens": "Tokens read since the start.",
    "epoch": "How often the data has been gone through.",
}
"""The closed list of metric names, each with a sentence that says what it means."""

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_number(value: float) -> float | str:
    """A number as JSON can hold it: infinite and undefined ones as a string."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def decode_number(value: float | str) -> float:
    """The number that `encode_number` wrote."""
    return _SPECIAL[value] if isinstance(value, str) else value


@dataclass(frozen=True)
class Event:
    """One line of the log. `fields` holds what its type adds."""

    seq: int
    time: float
    type: str
    attempt: int
    fields: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """The event as one line of JSON, newline included."""
        head = {"seq": self.seq, "time": round(self.time, 3), "type": self.type, "attempt": self.attempt}
        return json.dumps(head | self.fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Event:
        """The event from its line. Raises `ValueError` when the line is not an event."""
        values = orjson.loads(line)
        try:
            head = {key: values.pop(key) for key in ("seq", "time", "type", "attempt")}
        except (KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"not an event: {line[:80]!r}") from error
        return cls(**head, fields=values)


def read_events(path: Path, offset: int = 0, limit: int = 1 << 24) -> tuple[list[Event], int]:
    """The events after byte `offset`, and the offset after the last complete line among the next `limit` bytes.

    A last line without its newline is still being written: it is left for the next call. A line that is not an event
    (a disk that filled up in the middle of one) is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(limit)
    except FileNotFoundError:
        return [], offset
    complete = chunk[: chunk.rfind(b"\n") + 1]
    return list(_parse(complete)), offset + len(complete)


def _parse(lines: bytes) -> Iterator[Event]:
    for line in lines.splitlines():
        try:
            yield Event.from_line(line)
        except ValueError:
            continue


class EventSink(Protocol):
    """Where a reporter sends its events."""

    def __call__(self, type: str, fields: dict[str, Any]) -> None: ...


class RunReporter:
    """What a training page calls to say what happens. The sink decides where it goes."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def started(
        self, *, total_steps: int, world_size: int, device: str, parameters: int, trainable_parameters: int
    ) -> None:
        """The model is loaded and training begins (or goes on, at a resume)."""
        self._sink(
            "started",
            {
                "total_steps": total_steps,
                "world_size": world_size,
                "device": device,
                "parameters": parameters,
                "trainable_parameters": trainable_parameters,
            },
        )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step. Raises `KeyError` for a name that is not in `METRICS`."""
        for name in values:
            if name not in METRICS:
                raise KeyError(f"{name!r} is not a metric; the list is in lab/events.py")
        self._sink("metrics", {"step": step, "values": {k: encode_number(float(v)) for k, v in values.items()}})

    def sample(self, step: int, prompt: str, text: str) -> None:
        """What the model answers to one of the fixed prompts at this step."""
        self._sink("sample", {"step": step, "prompt": prompt, "text": text})

    def checkpoint(self, step: int, folder: str) -> None:
        """A checkpoint is complete on disk. `folder` is relative to the run's folder."""
        self._sink("checkpoint", {"step": step, "folder": folder})

    def paused(self, step: int) -> None:
        """Training waits."""
        self._sink("paused", {"step": step})

    def continued(self, step: int) -> None:
        """Training goes on after a pause."""
        self._sink("continued", {"step": step})

    def message(self, text: str) -> None:
        """Something worth knowing that is not an error."""
        self._sink("message", {"text": text})

    def finished(self, step: int) -> None:
        """All steps are done and the model is saved."""
        self._sink("finished", {"step": step})

    def stopped(self, step: int) -> None:
        """Ended early because somebody asked; the model so far is saved."""
        self._sink("stopped", {"step": step})

    def failed(self, step: int, error: str, advice: str = "", traceback: str = "") -> None:
        """Ended by an error: what happened, what to try, and for engineers the traceback."""
        self._sink("failed", {"step": step, "error": error, "advice": advice, "traceback": traceback})


class FileSink:
    """Appends events to `events.jsonl`. Goes on after the last complete line of an earlier attempt; a torn last
    line (its writer was killed) is cut off, since nobody has read it."""

    def __init__(self, path: Path, attempt: int = 1) -> None:
        last = last_event(path)
        self._seq = last.seq if last else 0
        self.attempt = attempt
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._cut_torn_line(path)

    def _cut_torn_line(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("rb") as file:
            tail_start = max(0, size - (1 << 20))
            file.seek(tail_start)
            torn = len(file.read().rpartition(b"\n")[2])
        if torn:
            self._file.truncate(size - torn)

    def __call__(self, type: str, fields: dict[str, Any]) -> None:
        event = Event(self._seq + 1, time.time(), type, self.attempt, fields)
        line = event.to_line()
        written = self._file.write(line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes of an event could be written: is the disk full?")
        self._seq = event.seq
        if type != "metrics":
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def last_event(path: Path, types: set[str] | None = None, tail_bytes: int = 1 << 20) -> Event | None:
    """The last complete event of the log (of one of `types`), looking at its last `tail_bytes`; None without one."""
    try:
        start = max(0, path.stat().st_size - tail_bytes)
    except FileNotFoundError:
        return None
    events, _ = read_events(path, start)
    return next((event for event in reversed(events) if types is None or event.type in types), None)


def null_reporter() -> RunReporter:
    """A reporter that keeps nothing: for processes other than rank 0."""
    return RunReporter(lambda type, fields: None)


def print_reporter() -> RunReporter:
    """A reporter that prints: for a page used from a script."""
    return RunReporter(lambda type, fields: print(type, fields))


def list_reporter(into: list[Event]) -> RunReporter:
    """A reporter that collects the events in a list: for tests and notebooks."""

    def sink(type: str, fields: dict[str, Any]) -> None:
        into.append(Event(len(into) + 1, time.time(), type, 1, fields))

    return RunReporter(sink)
