"""The folder of a labeling project.

project.json    what is fixed: settings, models, the key of the hashes     prompts.jsonl   what the models answer
items.jsonl     the answers to compare, appended as they are made          journal.jsonl   everything people did
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.errors import DataError, LabError
from lab.journal import Journal
from lab.labeling.project import Item, ProjectAbout
from lab.run_dir import read_jsonl, write_json, write_jsonl


class ProjectFolder:
    """Paths and files of one project. Holds nothing open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about_file = path / "project.json"
        self.prompts_file = path / "prompts.jsonl"
        self.items_file = path / "items.jsonl"
        self.journal_file = path / "journal.jsonl"

    @classmethod
    def create(cls, folder: Path, about: ProjectAbout, prompts: Sequence[Sequence[dict[str, Any]]]) -> ProjectFolder:
        """Make the folder of a new project under `folder`. project.json comes last: without it there is none."""
        made = cls(folder / about.id)
        try:
            made.path.mkdir(parents=True)
            write_jsonl(made.prompts_file, ([dict(message) for message in prompt] for prompt in prompts))
            write_json(made.about_file, about.to_json())
        except OSError as error:
            raise LabError(f"The project could not be saved to {made.path}: {error}.") from error
        return made

    def about(self) -> ProjectAbout:
        """What is fixed of the project. Raises `DataError` when the folder holds none."""
        try:
            return ProjectAbout.from_json(json.loads(self.about_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} is not the folder of a labeling project ({error}).") from error

    def prompts(self) -> list[list[dict[str, Any]]]:
        """The prompts, each a list of messages."""
        return list(read_jsonl(self.prompts_file)) if self.prompts_file.exists() else []

    def add_prompts(self, prompts: Iterable[Sequence[dict[str, Any]]]) -> None:
        """Add prompts at the end."""
        write_jsonl(self.prompts_file, [*self.prompts(), *(list(prompt) for prompt in prompts)])

    def journal(self, read_only: bool = False) -> Journal:
        """The journal of what people did."""
        return Journal(self.journal_file, read_only)

    def items(self) -> Iterator[Item]:
        """The items on the disk. A torn last line is passed over: nobody has seen it."""
        if not self.items_file.exists():
            return
        for line in self.items_file.read_bytes().split(b"\n")[:-1]:
            yield Item.from_json(json.loads(line))

    def append_items(self, items: Iterable[Item]) -> None:
        """Add items; on the disk when this returns. Raises `LabError` when they cannot be written."""
        lines = b"".join(json.dumps(item.to_json(), ensure_ascii=False).encode() + b"\n" for item in items)
        try:
            with self.items_file.open("ab") as file:
                size = file.tell()
                torn = _torn_bytes(self.items_file, size)
                file.truncate(size - torn)
                try:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(size - torn)
                    raise
        except OSError as error:
            raise LabError(
                f"Answers could not be saved to {self.items_file}: {error}. Make room and try again."
            ) from error


def _torn_bytes(file: Path, size: int) -> int:
    """Bytes after the last complete line."""
    with file.open("rb") as reading:
        reach = min(size, 1 << 16)
        while reach:
            reading.seek(size - reach)
            tail = reading.read(reach)
            if b"\n" in tail or reach == size:
                return len(tail) - (tail.rfind(b"\n") + 1)
            reach = min(size, reach * 8)
    return 0
