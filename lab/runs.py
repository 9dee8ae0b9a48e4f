"""Training runs as a person sees them: start one, follow it, pause, continue, stop, kill.

    queued → starting → running ⇄ paused → finished · stopped · failed · crashed

One device, one queue: a run waits until those before it have ended (a paused one keeps its place on the device).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.config import TrainingConfig
from lab.errors import ConfigError, DataError, RunError
from lab.index import Index
from lab.index_rows import RunEntry
from lab.ingest import Ingest
from lab.rewards import model_references
from lab.run import Run
from lab.run_dir import RunDir
from lab.run_state import ENDED, RESUMABLE
from lab.supervisor import Supervisor

if TYPE_CHECKING:
    from lab.datasets import Datasets
    from lab.models import Models

PATIENCE = 30.0
"""Seconds a question about a run waits while the app still looks at what an earlier one left."""


ListOfRuns = list[Run]
Ids = list[str]


class Runs:
    """The runs of a workspace. Safe to use from any thread."""

    def __init__(
        self,
        folder: Path,
        index: Index,
        ingest: Ingest,
        supervisor: Supervisor,
        models: Models,
        datasets: Datasets,
        read_only: bool = False,
    ) -> None:
        self.folder = folder
        self._index = index
        self._ingest = ingest
        self._supervisor = supervisor
        self._models = models
        self._datasets = datasets
        self._read_only = read_only

    def start(self, config: TrainingConfig, name: str = "") -> Run:
        """Queue a new run and give it back in milliseconds.

        Raises `ConfigError`, `DataError` or `ModelError` when it could not work, before anything is made.
        """
        self.require_writable()
        if not isinstance(config, TrainingConfig) or not config.algorithm:
            raise ConfigError(f"{type(config).__name__} is not the settings of an algorithm.")
        about = self._about(config) | {"name": name.strip(), "created": time.time()}
        return Run(self, self._supervisor.add(config, about).id)

    def _about(self, config: TrainingConfig) -> dict[str, Any]:
        """What run.json says of a new run's parents; raises when one cannot be used."""
        about: dict[str, Any] = {"seed": config.seed, "resume": False}
        model, dataset = getattr(config, "model", ""), getattr(config, "dataset", "")
        tokenizer = getattr(config, "tokenizer", "")
        if model:
            about |= {"model": model, "model_folder": str(self._models.resolve_writer(model))}
        elif tokenizer:
            about["model_folder"] = str(self._models.resolve(tokenizer))
        if references := model_references(getattr(config, "reward", "")):
            about["reward_folders"] = {each: str(self._models.resolve_reward(each)) for each in references}
        self._require_dataset(dataset, config)
        return about | {"dataset": dataset}

    def _require_dataset(self, name: str, config: TrainingConfig) -> None:
        if not name:
            raise ConfigError("No data set is chosen.", "dataset")
        kind, wanted = self._datasets.info(name).kind, config.learns_from
        if kind != wanted:
            raise DataError(f"{config.algorithm} learns from {wanted}; the data set {name!r} holds {kind}.")

    def get(self, id: str) -> Run:
        """The run with this id. Raises `RunError` when there is none."""
        self.entry(id)
        return Run(self, id)

    def list(self) -> ListOfRuns:
        """All runs, the newest first."""
        self._wait()
        found = [(self.entry(id).about.get("created") or 0.0, id) for id in self._index.run_ids()]
        return [Run(self, id) for _, id in sorted(found, reverse=True)]

    def reconcile(self) -> Ids:
        """Look whether the runs that should be alive are; gives the ids of those that were not."""
        self._wait()
        return self._supervisor.reconcile()

    def queue(self) -> ListOfRuns:
        """The runs that wait for the device, the next one first."""
        self._wait()
        return [Run(self, id) for id in self._supervisor.waiting()]

    def holder(self) -> str | None:
        """The id of the run that has the device; None when it is free."""
        return self._supervisor.holder()

    # --- for Run ---------------------------------------------------------------------------------------------------

    def entry(self, id: str) -> RunEntry:
        """What is known of a run. Raises `RunError` when there is no such run."""
        self._wait()
        entry = self._index.entry(id)
        if entry is None and Path(id).name == id and (self.folder / id / "run.json").exists():
            entry = self._ingest.take(RunDir(self.folder / id))
        if entry is None:
            raise RunError(f"There is no run {id!r} in this workspace.")
        return entry

    def name_of(self, id: str) -> str:
        """The name a person gave a run, or ""."""
        given = self._index.name_of(id)
        return self.entry(id).about.get("name", "") if given is None else given

    def resume(self, run: RunDir, status: str, config: TrainingConfig | None = None) -> None:
        """See `Run.resume`. `config`: other settings to go on with, which take the same steps."""
        self.require_writable()
        with self._supervisor.changing:
            if status in ("running", "starting") and run.pause_requested:
                run.clear_pause()
            elif status not in RESUMABLE:
                raise RunError(f"This run is {status}; it cannot be continued.")
            elif status == "paused":
                run.clear_pause()
            else:
                about = run.about()
                model = about.get("model")
                folder = {"model_folder": str(self._models.resolve(model))} if model else {}
                if config is not None:
                    run.change_config(config, about.get("attempt", 1) + 1)
                self._supervisor.requeue(run, attempt=about.get("attempt", 1) + 1, resume=True, **folder)

    def stop(self, run: RunDir, status: str) -> None:
        """See `Run.stop`."""
        self.require_writable()
        with self._supervisor.changing:
            if self.entry(run.id).outcome.status == "queued":
                self._supervisor.end(run, "stopped")
            elif status not in ENDED:
                run.request_stop()

    def kill(self, run: RunDir, status: str) -> None:
        """See `Run.kill`."""
        self.require_writable()
        with self._supervisor.changing:
            if self.entry(run.id).outcome.status == "queued":
                self._supervisor.end(run, "stopped")
            elif status not in ENDED:
                self._supervisor.kill(run)

    def require_writable(self) -> None:
        """Raises `RunError` in a workspace that can only be read."""
        if self._read_only:
            raise RunError(f"{self.folder.parent} cannot be written to, so nothing can be started or changed in it.")

    def _wait(self) -> None:
        self._supervisor.reconciled.wait(PATIENCE)
