"""The workspace: one folder that holds everything, and the parts of the app that work on it.

runs/              one folder per run              datasets/          uploaded sets
labeling/          one folder per labeling project    corpus/         pages that are being cleaned
journal.jsonl      what people did                 history.duckdb     an index; can be deleted at any time
logs/              of the model process            lock, owner.json   who has the workspace open
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lab.config import SamplingConfig, SFTConfig
from lab.datasets import Datasets
from lab.errors import LabError, WorkspaceLockedError
from lab.estimate import Estimate, Shape, estimate
from lab.file_lock import FileLock
from lab.history import History
from lab.index import Index
from lab.ingest import Ingest
from lab.journal import Journal
from lab.kept_models import KeptModels
from lab.labeling import Labeling
from lab.launcher import Launcher
from lab.machine import this_machine
from lab.model_folder import has_chat_template
from lab.rewards import Rewards
from lab.run_dir import RunDir, write_json
from lab.runs import Runs
from lab.supervisor import Supervisor

if TYPE_CHECKING:
    from lab.corpus.desk import Desk
    from lab.inference import Inference
    from lab.inspection import Inspection
    from lab.probes import Probes

DEFAULT_FOLDER = "my-lab"
AT_WORK = ("queued", "starting", "running", "paused")
"""States of a run that may still write into its folder."""
SPLIT_SEED = 0
"""One split for all runs: an example that was held out once is never trained on by a later run."""


class Workspace:
    """Everything that one folder holds. Made by `open_workspace`; a context manager."""

    def __init__(self, folder: Path, launcher: Launcher | None = None) -> None:
        self.folder = folder
        self.read_only = not _can_write(folder)
        """Whether it is only for looking at (a read-only disk): nothing can be started, added or noted."""
        self._lock = None if self.read_only else _lock(folder)
        self._closing = threading.Lock()
        self._closed = False
        self._inference: Inference | None = None
        self._corpus: Desk | None = None
        self.journal = Journal(folder / "journal.jsonl", self.read_only)
        self.index = Index(None if self.read_only else folder / "history.duckdb")
        self.history = History(self.index, self.journal)
        self.datasets = Datasets(folder / "datasets", journal=self.journal)
        self.models = KeptModels(folder / "runs", self.journal, self.index.name_of)
        self._ingest = Ingest(self.index, self.history, folder / "runs", self.journal)
        self.supervisor = Supervisor(
            folder / "runs", self.index, self.history, self._ingest, launcher or Launcher(), self._freeze
        )
        self.supervisor.give_up_gpu = self._give_up_gpu
        self.runs = Runs(
            folder / "runs", self.index, self._ingest, self.supervisor, self.models, self.datasets, self.read_only
        )
        self.models.is_active = lambda run_id: self.runs.get(run_id).status in AT_WORK
        self.models.name_run = lambda run_id, name: self.history.annotate(run_id, name=name)
        self.labeling = Labeling(
            folder / "labeling",
            self._answer,
            self.read_only,
            sets=self.datasets.conversations,
            check_model=self.models.resolve_writer,
            keep=self.datasets.add,
            scores=self._scores,
        )
        self.history.lists = {
            "models": self.models.rows,
            "datasets": self._dataset_rows,
            "votes": self.labeling.rows,
        }
        self._start()

    def _start(self) -> None:
        self._ingest.start()
        if self.read_only:
            self.supervisor.reconciled = self.history.caught_up  # nothing can be settled: knowing the runs is enough
        else:
            self.supervisor.start()

    @property
    def notices(self) -> list[str]:
        """What the person should know about the workspace itself: a file set aside, a disk that is full."""
        trouble = [f"The queue is stuck: {self.supervisor.trouble}"] if self.supervisor.trouble else []
        read_only = [f"{self.folder} cannot be written to: it is open for looking only."] if self.read_only else []
        return [*read_only, *self.index.notices, *trouble]

    @property
    def inference(self) -> Inference:
        """Models to talk to, in a process of their own that starts when it is first needed."""
        with self._closing:
            if self._closed:
                raise LabError("This workspace is closed.")
            if self._inference is None:
                from lab.inference import Inference

                logs = self.folder / "logs"
                if not self.read_only:
                    logs.mkdir(exist_ok=True)
                self._inference = Inference(self.models.resolve, logs / "model_server.log")
            return self._inference

    def estimate(self, config: SFTConfig, found: Inspection | None = None, measure: bool = True) -> Estimate:
        """What a fine-tuning with these settings will need of this machine; how fast that is gets measured when it was
        not yet, unless `measure` is false: then the time may be missing.

        `found` is what was seen of its data set; None looks at it now. Raises `LabError` for what is not there."""
        folder = self.models.resolve(config.model)
        found = found or self.datasets.inspect(config.dataset, folder, config.max_length, limit=500)
        machine = this_machine(self.folder, self.inference.machine_rates if measure and not self.read_only else None)
        return estimate(Shape.of(folder), config, found.lengths, found.loss_share, machine)

    @property
    def corpus(self) -> Desk:
        """Web pages on their way to clean text."""
        with self._closing:
            if self._corpus is None:
                from lab.corpus.desk import Desk

                self._corpus = Desk(self.folder / "corpus", self.datasets.add, self._token_counter())
            return self._corpus

    def _token_counter(self) -> Callable[[str], int]:
        """Counts the tokens of a text as the bundled base model sees it."""
        from lab.tokenizer import load_tokenizer

        tokenizer = load_tokenizer(self.models.resolve("bundled:base"))
        return lambda text: len(tokenizer.ids(text))

    @property
    def probes(self) -> Probes:
        """Questions to a model at hand, scored against what is known to be true of its world."""
        from lab.probes import Probes

        return Probes(self.inference)

    @property
    def rewards(self) -> Rewards:
        """Rewards, to be tried on samples."""
        return Rewards(lambda: self.inference)

    def close(self) -> None:
        """Let go of the folder and end the model process. Runs go on, and are found again at the next start."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            if self._inference is not None:
                self._inference.close()
        if self._corpus is not None:
            self._corpus.close()
        self.labeling.close()
        self.supervisor.close()
        self._ingest.close()
        self.index.close()
        if self._lock is not None:
            (self.folder / "owner.json").unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Workspace {self.folder}{' (closed)' if self._closed else ''}>"

    def _give_up_gpu(self) -> None:
        if self._inference is not None:
            self._inference.give_up_gpu()

    def _freeze(self, run: RunDir) -> dict[str, Any]:
        """Copy a run's data into its folder; gives what to add to run.json. Where people made the data here, the votes
        that it stands on go along, as data/labels.json."""
        config: Any = run.config()
        train, heldout = self.datasets.freeze(config.dataset, run.data, config.heldout_fraction, SPLIT_SEED)
        added: dict[str, Any] = {"rows": {"train": train, "heldout": heldout}}
        if (labels := self.datasets.labels(config.dataset)) is not None:
            write_json(run.data / "labels.json", labels)
            added["labels"] = {key: labels[key] for key in ("project", "rows", "journal_sha256", "file_sha256")}
        return added

    def _answer(self, model: str, messages: list[dict[str, Any]], sampling: SamplingConfig) -> str:
        """What a model answers: as a chat, or where it has no chat template by going on from the text."""
        if has_chat_template(self.models.resolve(model)):
            return self.inference.chat(model, messages, sampling).text
        text = "\n\n".join(str(message["content"]) for message in messages)
        return self.inference.complete(model, text, sampling).text

    def _scores(self, reference: str) -> Callable[[Sequence[dict[str, Any]], str], float] | None:
        """What a reward model gives a reply; None for a model that writes."""
        if not self.models.info(reference).is_reward:
            return None

        def score(prompt: Sequence[dict[str, Any]], reply: str) -> float:
            return self.inference.reward(reference, [[*prompt, {"role": "assistant", "content": reply}]])[0]

        return score

    def _dataset_rows(self) -> list[tuple[Any, ...]]:
        names = ("name", "kind", "rows", "created", "source", "bytes")
        return [tuple(getattr(info, name, None) for name in names) for info in self.datasets.list()]


def open_workspace(folder: str | os.PathLike[str] | None = None) -> Workspace:
    """Open the workspace in `folder` ("my-lab" here when None), made when missing.

    Raises `WorkspaceLockedError` when another process has it open, and `LabError` when there can be no folder there.
    """
    path = Path(folder if folder is not None else DEFAULT_FOLDER).expanduser().absolute()
    try:
        (path / "runs").mkdir(parents=True, exist_ok=True)
        (path / "datasets").mkdir(exist_ok=True)
    except OSError as error:
        if not (path / "runs").is_dir():
            raise LabError(f"{path} cannot be used as a workspace: {error}. Choose another folder.") from error
    return Workspace(path)


def _can_write(folder: Path) -> bool:
    try:
        with (folder / "lock").open("ab"):
            return True
    except OSError:
        return False


def _lock(folder: Path) -> FileLock:
    """Take the workspace for this process, and leave word who has it."""
    lock = FileLock(folder / "lock")
    if not lock.acquire(timeout=0.5):
        raise WorkspaceLockedError(f"{folder} is open in another Nudge: {_owner(folder)}. Close that one first.")
    owner = {"pid": os.getpid(), "host": platform.node(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
    try:
        write_json(folder / "owner.json", owner)
    except OSError:
        (folder / "owner.json").unlink(missing_ok=True)
    return lock


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / "owner.json").read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']}, since {owner['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that left no word who it is"
