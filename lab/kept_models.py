"""The models of a workspace, and what a person does with them: names, notes, deletion, files to take away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import model_folder
from lab.errors import ModelError
from lab.model_card import write_card
from lab.model_export import Tell, export_folder
from lab.model_keeping import LONGEST_NAME, LONGEST_NOTE, NOTED, delete_weights, kept_text, needed_by, said_of
from lab.models import Models, References


class KeptModels(Models):
    """`Models`, to name, note, remove and export."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.is_active: Callable[[str], bool] = lambda run_id: False
        """Whether a run may still write into its folder; the workspace knows."""
        self.name_run: Callable[[str, str], None] | None = None
        """Gives a run a name; the result of a run has the run's."""

    def remove(self, reference: str) -> None:
        """Forget a model that was added (its files stay where they are), or delete the result or a checkpoint of a run
        (what was measured of the run stays). Raises `ModelError` for what another run stands on, and while the run
        itself is at work."""
        if reference in self._added():
            self._journal.append("model removed", {"reference": reference})
            return
        run_id, _, step = reference.removeprefix("run:").partition("@")
        if not reference.startswith("run:"):
            raise ModelError(f"{reference} cannot be removed: it was not added and not made here.")
        self._run_folder(reference.removeprefix("run:"))  # says what there is when it is not there
        if self.is_active(run_id):
            raise ModelError(f"Run {run_id} is not over yet. Stop it first, then delete what it made.")
        if needed := self.needed_by(reference):
            names = ", ".join(self._name_of(run) or run for run in needed)
            raise ModelError(f"{reference} is needed by {names}, which began with it. Delete what they made first.")
        delete_weights(self._run(run_id), step)

    def needed_by(self, reference: str) -> References:
        """The runs that stand on a model: deleting it would take away what they are made from."""
        return needed_by(self._runs, reference, self._folder(reference))

    def rename(self, reference: str, name: str) -> None:
        """Give a model a name; "" gives its own back. The result of a run and the run have one name."""
        self.resolve(reference)
        name = kept_text(name, LONGEST_NAME)
        if reference.startswith("bundled:"):
            raise ModelError("Bundled models keep their names.")
        if reference.startswith("run:") and "@" not in reference and self.name_run is not None:
            self.name_run(reference.removeprefix("run:"), name)
        else:
            self._journal.append(NOTED, {"reference": reference, "name": name})

    def set_note(self, reference: str, note: str) -> None:
        """Keep a note on a model."""
        self.resolve(reference)
        self._journal.append(NOTED, {"reference": reference, "note": kept_text(note, LONGEST_NOTE)})

    def note(self, reference: str) -> str:
        """The note on a model."""
        return said_of(self._journal, reference).get("note", "")

    def export(
        self, reference: str, folder: str | os.PathLike[str], *, merge: bool = True, tell: Tell | None = None
    ) -> Path:
        """Write a model as a Hugging Face folder with a card: adapters merged into whole weights, or as they are.

        `folder` must not exist yet, or be empty. `tell` hears in words how far it is. Raises `ModelError`.
        """
        source, target = self.resolve(reference), Path(folder).expanduser().absolute()
        line = self.lineage(reference)
        run = self._run(reference.removeprefix("run:").partition("@")[0]) if reference.startswith("run:") else None
        whole = merge or not model_folder.is_adapter(source)

        def write(made: Path) -> None:
            write_card(made, line, run, merged=whole, note=self.note(reference))

        return export_folder(source, target, merge=merge, tell=tell or (lambda words: None), card=write)
