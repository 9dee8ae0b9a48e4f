"""The app's parts around a temporary folder, with a fake worker and fake data: for tests of runs and history."""

import json
import struct
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from lab.config import SFTConfig
from lab.errors import DataError
from lab.events import Event
from lab.history import History
from lab.index import Index
from lab.ingest import Ingest
from lab.journal import Journal
from lab.launcher import Launcher
from lab.models import Models
from lab.run_dir import RunDir
from lab.runs import Runs
from lab.supervisor import Supervisor

FAKE_WORKER = (str(Path(__file__).resolve().parent / "fake_worker.py"),)


class FakeDatasets:
    """One set, "chats"; "slow" takes a while to freeze, "broken" cannot be frozen."""

    def info(self, name):
        if name not in ("chats", "slow", "broken"):
            raise DataError(f"There is no dataset {name!r}.")
        return SimpleNamespace(name=name, kind="conversations")

    def freeze(self, run):
        name = run.config().dataset
        if name == "broken":
            raise DataError("Row 3 cannot be read.")
        if name == "slow":
            time.sleep(0.5)
        (run.data / "train.jsonl").write_text("{}\n")
        return {"rows": {"train": 1, "heldout": 0}}


class Parts:
    """What a workspace consists of, without its lock and without real data."""

    def __init__(self, folder, worker=FAKE_WORKER, file="history.duckdb"):
        self.folder = Path(folder)
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.folder / "journal.jsonl")
        self.index = Index(self.folder / file if file else None)
        self.history = History(self.index, self.journal)
        self.ingest = Ingest(self.index, self.history, self.folder / "runs", self.journal)
        self.datasets = FakeDatasets()
        bundled = self.folder / "bundled"
        if not bundled.exists():
            write_model(bundled / "base")
        self.models = Models(self.folder / "runs", self.journal, self.index.name_of, bundled)
        self.launcher = Launcher(worker)
        self.supervisor = Supervisor(
            self.folder / "runs", self.index, self.history, self.ingest, self.launcher, self.datasets.freeze
        )
        self.runs = Runs(
            self.folder / "runs", self.index, self.ingest, self.supervisor, self.models, self.datasets
        )  # fmt: skip

    def start(self):
        self.ingest.start()
        self.supervisor.start()
        return self

    def close(self):
        self.supervisor.close()
        self.ingest.close()
        self.index.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        for run in self.runs.list():
            if run.status not in ("finished", "stopped", "failed", "crashed"):
                run.kill()
        self.close()


def settings(steps=20, *behaviour, **values):
    """Settings for the fake worker."""
    given = {"eval_every": 5, "sample_every": 10, "checkpoint_every": 5, "dataset": "chats"} | values
    return SFTConfig(max_steps=steps, sample_prompts=behaviour, **given)


def write_model(folder, shape=(4, 8), dtype="F32", **config):
    """A model's folder of a few bytes: one tensor named `weight`."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"architectures": ["LlamaForCausalLM"], "vocab_size": 300, "max_position_embeddings": 512} | config
    (folder / "config.json").write_text(json.dumps(about))
    write_weights(folder / "model.safetensors", shape, dtype)
    return folder


def write_weights(file, shape=(4, 8), dtype="F32"):
    size = {"F32": 4, "F16": 2}[dtype]
    for length in shape:
        size *= length
    header = {"__metadata__": {}, "weight": {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))


def make_run(runs, events=(), name="", **values):
    """The folder of a run with these events written: (type, fields) or (type, fields, attempt)."""
    run = RunDir.create(Path(runs), settings(**values), {"created": 1_700_000_000.0, "name": name, "frozen": True})
    append_events(run, events)
    return run


def append_events(run, events):
    """Add events to a run's log, half a second apart."""
    seq = len(run.events.read_bytes().splitlines()) if run.events.exists() else 0
    with run.events.open("ab") as file:
        for type, fields, *attempt in events:
            seq += 1
            file.write(Event(seq, 1_700_000_000 + seq / 2, type, attempt[0] if attempt else 1, fields).to_line())


def metrics(step, **values):
    """A metrics event; `loss` and `heldout` are short for the two losses."""
    names = {"loss": "loss/train", "heldout": "loss/heldout"}
    return ("metrics", {"step": step, "values": {names.get(name, name): value for name, value in values.items()}})


def started(steps=20):
    fields = {"total_steps": steps, "world_size": 1, "device": "cpu", "parameters": 9, "trainable_parameters": 9}
    return ("started", fields)


def wait_for(condition, timeout=10.0):
    """Wait until a condition holds; fails when it does not."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


if __name__ == "__main__":
    # python -m tests.parts FOLDER: an app that starts one run and waits to be killed
    with Parts(sys.argv[1]) as parts:
        print(parts.runs.start(settings(1000, "sleep 0.02")).id, flush=True)
        time.sleep(600)
