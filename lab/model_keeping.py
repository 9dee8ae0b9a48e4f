"""What a person does with the models at hand: names, notes, and deletion, which spares what a run still stands on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab import model_folder
from lab.errors import ModelError
from lab.journal import Journal
from lab.run_dir import RunDir

LONGEST_NAME, LONGEST_NOTE = 120, 4000
NOTED = "model noted"
"""The journal's word for a name or a note that a model was given."""


def said_of(journal: Journal, reference: str) -> dict[str, str]:
    """The `name` and the `note` that a model was given, if any."""
    said: dict[str, str] = {}
    for action in journal.actions():
        if action.kind == NOTED and action.fields.get("reference") == reference:
            said |= {key: str(action.fields[key]) for key in ("name", "note") if key in action.fields}
    return said


def kept_text(text: str, longest: int) -> str:
    """A name or a note as it is kept. Raises `ModelError` for one that is too long."""
    if len(text := text.strip()) > longest:
        raise ModelError(f"This has {len(text):,} characters; {longest:,} are kept at most.")
    return text


def needed_by(runs: Path, reference: str, folder: Path) -> list[str]:
    """The runs that stand on a model: their settings name it, or adapters that they made are for it."""
    own = runs / reference.removeprefix("run:").partition("@")[0]
    others = (file.parent for file in sorted(runs.glob("*/run.json")) if file.parent != own)
    return [run.name for run in others if reference in _named(run) or folder.resolve() in _bases(run)]


def _named(run: Path) -> set[str]:
    """All texts in a run's settings, and in what run.json says of it: one of them is the model that it began with."""
    return {text for name in ("config.json", "run.json") for text in _texts(_read(run / name))}


def _bases(run: Path) -> set[Path]:
    folders = [run / "model", *run.glob("checkpoints/*/model")]
    return {Path(model_folder.adapter_base(one)).resolve() for one in folders if model_folder.is_adapter(one)}


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _texts(one)


def delete_weights(run: RunDir, step: str) -> None:
    """Delete the result of a run, or a checkpoint with what it needs to go on. What was measured of the run stays."""
    folder = run.checkpoint(int(step)) if step else run.model
    going = folder.with_name(f".{folder.name}.deleted")
    try:
        folder.rename(going)  # gone at once, and never half there
        shutil.rmtree(going)
    except OSError as error:
        raise ModelError(f"{folder} could not be deleted whole: {error}.") from error
