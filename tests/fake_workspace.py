"""A stand-in for the workspace, in memory and instant: for tests of the page that need no engine."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from lab.errors import ModelError, RunError


class FakeRun(SimpleNamespace):
    """A run whose values a test sets as it likes."""

    def __init__(self, id="2026-11-21_0900_sft_0001", **values):
        defaults = {
            "id": id, "name": "", "algorithm": "sft", "config": None, "status": "finished", "error": None,
            "advice": None, "folder": Path("/nowhere") / id, "model": f"run:{id}", "step": 100, "total_steps": 100,
            "seconds_left": None, "waits_for": None, "is_asked_to": "", "created": time.time() - 3600, "attempt": 1,
            "smaller": None,
        }  # fmt: skip
        super().__init__(**defaults | values)
        self.asked = []

    def log_tail(self, lines=40):
        return "one line\nanother"

    def checkpoints(self):
        return [50, 100]

    def __getattr__(self, name):
        if name in {"pause", "resume", "stop", "kill", "retry_smaller"}:
            return lambda: self.asked.append(name)
        raise AttributeError(name)


def model(reference, name, parent=None, **values):
    return SimpleNamespace(
        **{
            "reference": reference, "name": name, "folder": Path("/nowhere"), "kind": reference.partition(":")[0],
            "parameters": 1_200_000, "context_length": 1024, "architecture": "LlamaForCausalLM", "vocab_size": 4096,
            "parent": parent, "dtype": "float32", "is_chat": parent is not None, "is_reward": False,
        }
        | values
    )  # fmt: skip


class FakeModels:
    def __init__(self, models):
        self._models = {info.reference: info for info in models}

    def list(self):
        return list(self._models.values())

    def info(self, reference):
        if reference not in self._models:
            raise ModelError(f"There is no model {reference!r}.")
        return self._models[reference]

    def lineage(self, reference):
        info = self.info(reference)
        return [*(self.lineage(info.parent) if info.parent else []), info]


class FakeHistory:
    def __init__(self):
        self.curves = {}  # (run, name) → (steps, values)
        self.calls = []

    def names(self, run_id):
        return [name for run, name in self.curves if run == run_id]

    def series(self, run_id, name, after=None, max_points=None, low=None, high=None):
        self.calls.append((run_id, name, after, max_points, low, high))
        steps, values = self.curves.get((run_id, name), ([], []))
        kept = [
            (step, value)
            for step, value in zip(steps, values)
            if (after is None or step > after) and (low is None or step >= low) and (high is None or step <= high)
        ]
        return [step for step, _ in kept], [value for _, value in kept]

    def series_update(self, run_id, names, after_seq=0, max_points=2000):
        """The cursor is the last step here."""
        found = {name: self.series(run_id, name, after=after_seq - 1 if after_seq else None) for name in names}
        cursor = max([after_seq, *(steps[-1] + 1 for steps, _ in found.values() if steps)])
        return {"cursor": cursor, "from": None, "series": found}

    def samples(self, run_id, after_seq=0):
        columns = {"step": [0, 0, 50], "prompt": ["Hi", "Who are you?", "Hi"], "text": ["…", "…", "Hello."]}
        frame = pd.DataFrame(columns | {"attempt": [1] * 3, "seq": [1, 2, 3]})
        return frame[frame["seq"] > after_seq]

    def runs(self):
        return pd.DataFrame()

    def export(self, run_ids, path, format="csv"):
        raise RunError(f"There is no run {run_ids[0]!r} in this workspace.")


class FakeWorkspace:
    """`runs`, `models` and `history` with what a test puts in."""

    def __init__(self, runs=(), models=()):
        base = model("bundled:base", "base")
        known = {run.id: run for run in runs}
        tuned = [model(run.model, run.name or run.id, "bundled:base") for run in runs]

        def get(id):
            if id not in known:
                raise RunError(f"There is no run {id!r}.")
            return known[id]

        self.folder = Path("/nowhere")
        self.notices = []
        self.runs = SimpleNamespace(list=lambda: list(known.values()), get=get, start=None)
        self.models = FakeModels([base, *tuned, *models])
        self.history = FakeHistory()
        self.datasets = SimpleNamespace(list=list, builtin=list)
