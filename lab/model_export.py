"""A model taken away: a Hugging Face folder with whole weights or with the adapter as it is, and a card beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.errors import ModelError
from lab.model_folder import is_adapter, weight_files

Tell = Callable[[str], None]
"""Is told in words how far it is."""

KEPT = ("*.json", "*.jinja", "*.model", "*.txt")
"""Files beside the weights that go along."""


def export_folder(source: Path, target: Path, *, merge: bool, tell: Tell, card: Callable[[Path], None]) -> Path:
    """Write the model in `source` to the new folder `target`, whole or not at all. Raises `ModelError`."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ModelError(f"{target} is there already and not empty. Choose a folder that does not exist yet.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".nudge-export-", dir=target.parent) as folder:
            made = Path(folder) / "model"
            made.mkdir()
            if merge and is_adapter(source):
                merge_into(source, made, tell)
            else:
                copy_model(source, made, tell)
            card(made)
            if target.is_dir():
                target.rmdir()
            made.rename(target)
    except OSError as error:
        raise ModelError(f"The model could not be written to {target}: {error}. Choose another folder.") from error
    return target


def copy_model(source: Path, target: Path, tell: Tell) -> None:
    """Copy the files of a model as they are."""
    files = [*weight_files(source), *(file for pattern in KEPT for file in sorted(source.glob(pattern)))]
    for number, file in enumerate(dict.fromkeys(files)):
        tell(f"Copying {file.name} ({number + 1} of {len(files)})")
        shutil.copyfile(file, target / file.name)


def merge_into(source: Path, target: Path, tell: Tell) -> None:
    """Merge the adapter in `source` in a process of its own, which gives its memory back. Raises `ModelError`."""
    command = [sys.executable, "-m", "lab.merge_model", str(source), str(target)]
    last = ""
    with subprocess.Popen(
        command, cwd=Path(__file__).resolve().parent.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                last = line.strip() or last
                tell(last)
        except BaseException:  # nobody waits for it any more
            child.kill()
            raise
    if child.returncode:
        raise ModelError(f"The adapter could not be merged: {last or f'the process ended with {child.returncode}'}")
