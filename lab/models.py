"""The models at hand: bundled ones, results and checkpoints of runs, folders and Hub models that somebody added.

A model is named by a reference: `bundled:<name>`, `run:<id>`, `run:<id>@<step>`, a folder, or a Hub id (`org/name`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

from lab import model_folder
from lab.errors import ModelError, RunError
from lab.hub import Watch, download, find_downloaded
from lab.journal import Journal
from lab.model_keeping import said_of
from lab.run_dir import RunDir

BUNDLED = Path(__file__).resolve().parent.parent / "assets" / "models"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
BASE_ALGORITHMS = {"pretrain"}
"""Algorithms whose result continues text and does not answer."""

Kind = Literal["bundled", "run", "checkpoint", "folder", "hub"]


@dataclass(frozen=True)
class ModelInfo:
    """A model, as its folder and its run describe it."""

    reference: str
    name: str
    folder: Path
    kind: Kind
    parameters: int
    context_length: int
    architecture: str
    vocab_size: int
    parent: str | None
    """The reference of the model it was trained from."""
    dtype: str
    is_chat: bool
    """Whether it was trained to answer (has a chat template; of our own: was more than pretrained)."""
    is_reward: bool = False
    """Whether it gives a number for a conversation and writes nothing: a reward model."""


ModelInfos = list[ModelInfo]
References = list[str]
Rows = list[tuple[Any, ...]]


class Models:
    """The models of a workspace. Reads folders anew at every question; safe to use from any thread."""

    def __init__(
        self, runs: Path, journal: Journal, name_of: Callable[[str], str | None] | None = None, bundled: Path = BUNDLED
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._name_of = name_of or (lambda run_id: "")
        self._bundled = bundled

    # --- finding ---------------------------------------------------------------------------------------------------

    def list(self) -> ModelInfos:
        """Every model that can be used: bundled, results (newest first) and their checkpoints, added ones.

        One whose folder is broken, or gone, is left out; `info` says what is wrong with it.
        """
        found = []
        for reference in self._references():
            try:
                found.append(self.info(reference))
            except ModelError:
                continue
        return found

    def _references(self) -> References:
        bundled = sorted(f"bundled:{folder.name}" for folder in self._bundled.glob("*/") if folder.is_dir())
        references = sorted(bundled, key=lambda reference: (reference != "bundled:base", reference))
        for folder in sorted(self._runs.glob("*/run.json"), reverse=True):
            run = RunDir(folder.parent)
            if run.model.is_dir():
                references.append(f"run:{run.id}")
            references += [f"run:{run.id}@{step}" for step in reversed(run.checkpoint_steps())]
        return references + self._added()

    def _added(self) -> References:
        added: dict[str, None] = {}
        for action in self._journal.actions():
            if action.kind == "model added":
                added[str(action.fields.get("reference"))] = None
            elif action.kind == "model removed":
                added.pop(str(action.fields.get("reference")), None)
        return list(added)

    def resolve(self, reference: str) -> Path:
        """The folder of a model. Raises `ModelError` with what to do when there is none or it is not usable."""
        folder = self._folder(reference)
        model_folder.require_model(folder, reference)
        return folder

    def resolve_reward(self, reference: str) -> Path:
        """The folder of a reward model. Raises `ModelError` when it is a model that writes."""
        folder = self.resolve(reference)
        if not model_folder.is_reward_model(folder):
            raise ModelError(f"{reference} writes text; a reward model is wanted, trained from preferences.")
        return folder

    def resolve_writer(self, reference: str) -> Path:
        """The folder of a model that writes. Raises `ModelError` when it is a reward model."""
        folder = self.resolve(reference)
        if model_folder.is_reward_model(folder):
            raise ModelError(f"{reference} is a reward model: it gives a number for a reply and writes nothing.")
        return folder

    def _folder(self, reference: str) -> Path:
        kind, _, name = reference.partition(":")
        if not reference.strip():
            raise ModelError("No model is named. Take for instance bundled:base.")
        if kind == "bundled":
            return self._bundled_folder(name)
        if kind == "run":
            return self._run_folder(name)
        folder = Path(reference).expanduser()
        if folder.is_dir():
            return folder.resolve()
        if HUB_ID.fullmatch(reference):
            return find_downloaded(reference)
        raise ModelError(f"There is no model {reference!r}: it is no folder on this machine, and no Hub id (org/name).")

    def _bundled_folder(self, name: str) -> Path:
        folder = self._bundled / name
        if Path(name).name != name or not folder.is_dir():
            there = ", ".join(ref for ref in self._references() if ref.startswith("bundled:")) or "none"
            raise ModelError(f"There is no bundled model {name!r}. There are: {there}.")
        return folder

    def _run_folder(self, name: str) -> Path:
        run_id, _, step = name.partition("@")
        run = self._run(run_id)
        if not step:
            if not run.model.is_dir():
                steps = run.checkpoint_steps()
                instead = f" Its last checkpoint is run:{run_id}@{steps[-1]}." if steps else ""
                raise ModelError(f"Run {run_id} has no result yet.{instead}")
            return run.model
        if not step.isdecimal() or not run.checkpoint(int(step)).is_dir():
            steps_there = ", ".join(map(str, run.checkpoint_steps())) or "none"
            raise ModelError(f"Run {run_id} has no checkpoint of step {step}. It has: {steps_there}.")
        return run.checkpoint(int(step)) / "model"

    def _run(self, run_id: str) -> RunDir:
        run = RunDir(self._runs / run_id)
        if Path(run_id).name != run_id or not run.run_file.is_file():
            raise ModelError(f"There is no run {run_id!r} in this workspace.")
        return run

    # --- describing ------------------------------------------------------------------------------------------------

    def info(self, reference: str) -> ModelInfo:
        """What is known of a model. Raises `ModelError` when it cannot be used."""
        folder = self.resolve(reference)
        kind, name, parent, algorithm = self._origin(reference, folder)
        base = self._base_of_adapter(folder) if model_folder.is_adapter(folder) else None
        config = model_folder.read_json(folder / "config.json")
        own = model_folder.weights(folder)
        is_reward = model_folder.is_reward_model(folder)
        if is_reward:
            is_chat = False
        elif algorithm:
            is_chat = algorithm not in BASE_ALGORITHMS
        else:
            is_chat = model_folder.has_chat_template(folder) and reference != "bundled:base"
        architectures = config.get("architectures") or [config.get("model_type", "")]
        return ModelInfo(
            reference=reference,
            name=name,
            folder=folder,
            kind=kind,
            parameters=own.parameters + (base.parameters if base else 0),
            context_length=base.context_length if base else model_folder.context_length(config),
            architecture=base.architecture if base else str(architectures[0]),
            vocab_size=base.vocab_size if base else int(config.get("vocab_size") or 0),
            parent=parent or (base.reference if base else None),
            dtype=base.dtype if base else str(config.get("dtype") or config.get("torch_dtype") or own.dtype),
            is_chat=is_chat,
            is_reward=is_reward,
        )

    def _origin(self, reference: str, folder: Path) -> tuple[Kind, str, str | None, str]:
        """Kind, name, parent and algorithm of a model ("" where no run made it)."""
        kind, _, name = reference.partition(":")
        given = said_of(self._journal, reference).get("name", "") if kind != "bundled" else ""
        if kind == "bundled":
            return "bundled", name, None, ""
        if kind == "run":
            run_id, _, step = name.partition("@")
            try:
                about = self._run(run_id).about()
            except RunError as error:
                raise ModelError(str(error)) from error
            shown = self._name_of(run_id) or str(about.get("name") or "") or run_id
            algorithm = str(about.get("algorithm", ""))
            parent = about.get("model") or None
            if step:
                return "checkpoint", given or f"{shown}, step {step}", parent, algorithm
            return "run", shown, parent, algorithm
        if Path(reference).expanduser().is_dir():
            return "folder", given or folder.name, None, ""
        return "hub", given or reference, None, ""

    def _base_of_adapter(self, folder: Path) -> ModelInfo:
        return self.info(self.reference_of(model_folder.adapter_base(folder)))

    def reference_of(self, folder_or_id: str) -> str:
        """The shortest reference of a folder: of our own runs and models, else the folder itself."""
        folder = Path(folder_or_id)
        if not folder.is_dir():
            return folder_or_id
        folder = folder.resolve()
        if folder.parent == self._bundled.resolve():
            return f"bundled:{folder.name}"
        runs = self._runs.resolve()
        if runs in folder.parents and folder.name == "model":
            run_id, *rest = folder.relative_to(runs).parts
            match = re.fullmatch(r"step-(\d+)", rest[1]) if len(rest) == 3 else None
            return f"run:{run_id}@{int(match[1])}" if match else f"run:{run_id}"
        return str(folder)

    def lineage(self, reference: str) -> ModelInfos:
        """A model with those it was trained from, the first of them first; as far back as they still exist."""
        line: ModelInfos = []
        seen: set[str] = set()
        following: str | None = reference
        while following and following not in seen:
            seen.add(following)
            try:
                info = self.info(following)
            except ModelError:
                if not line:
                    raise
                break
            line.insert(0, info)
            following = info.parent
        return line

    # --- adding ----------------------------------------------------------------------------------------------------

    def add(self, folder_or_hub_id: str | os.PathLike[str], watch: Watch | None = None) -> ModelInfo:
        """Add a folder, or download a Hub model (`watch` is told how far it is), and remember it. Raises `ModelError`
        when it cannot be used."""
        reference = os.fspath(folder_or_hub_id).strip()
        folder = Path(reference).expanduser()
        if folder.is_dir():
            reference = str(folder.resolve())
            model_folder.require_causal(model_folder.read_json(folder / "config.json"), reference)
        elif HUB_ID.fullmatch(reference):
            download(reference, watch)
        info = self.info(reference)
        if info.kind in ("folder", "hub") and reference not in self._added():
            self._journal.append("model added", {"reference": reference})
        return info

    def rows(self) -> Rows:
        """The list as rows of the table `models` for SQL."""
        return [tuple(str(v) if isinstance(v, Path) else v for v in astuple(info)) for info in self.list()]
