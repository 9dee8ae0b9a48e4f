"""The data sets that need no upload: what the small world says, and the sample files in assets.

world:documents, world:conversations, world:preferences, world:<family>:<level>        sample:<file without its suffix>
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lab.conversation import Conversation, Message
from lab.document import Document
from lab.errors import DataError
from lab.preference import PreferencePair
from lab.problem import Problem
from lab.readers import Reading
from lab.readers.format import Record

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
WORLD_ROWS = {"documents": 20_000, "conversations": 2_000, "preferences": 2_000, "problems": 1_000}
"""How much the world says when it is asked."""
_PREFIXES = ("world", "sample")


def is_builtin(name: str) -> bool:
    """Whether a name is of this kind rather than that of a stored set."""
    return name.partition(":")[0] in _PREFIXES and ":" in name


def builtin_names() -> list[str]:
    """All of them, the simplest first."""
    from lab.world.arithmetic import LEVELS, PROBLEM_FAMILIES

    kinds = (".json", ".jsonl", ".csv")
    files = [file for file in SAMPLES.glob("*") if file.suffix in kinds] if SAMPLES.is_dir() else []
    samples = sorted({file.stem for file in files})
    problems = [f"world:{family}:{level}" for family in PROBLEM_FAMILIES for level in LEVELS]
    world = [f"world:{kind}" for kind in WORLD_ROWS if kind != "problems"]
    return [*(f"sample:{stem}" for stem in samples), *sorted(world), *problems]


class BuiltinDataset:
    """One of them. Gone through again, it says the same again."""

    def __init__(self, name: str) -> None:
        """Raises `DataError` when there is none of this name."""
        self.name = name
        self._origin, *self._parts = name.split(":")
        if self._origin == "sample":
            self.kind = self._sample.report.kind
            self.source = self.sample_file.name
        else:
            self.kind = self._world_kind()
            self.source = "the small world"

    def _world_kind(self) -> str:
        from lab.world.arithmetic import LEVELS, PROBLEM_FAMILIES

        if self._parts in (["documents"], ["conversations"], ["preferences"]):
            return self._parts[0]
        levels = list(map(str, LEVELS))
        if len(self._parts) == 2 and self._parts[0] in PROBLEM_FAMILIES and self._parts[1] in levels:
            return "problems"
        raise DataError(
            f"There is no data set {self.name!r}. The world has world:documents, world:conversations, "
            f"world:preferences, and world:<family>:<level> with the families {', '.join(PROBLEM_FAMILIES)} and the "
            f"levels 1 to {levels[-1]}."
        )

    @property
    def sample_file(self) -> Path:
        """The file of a sample. Raises `DataError` when there is none."""
        stem = ":".join(self._parts)
        files = [file for file in sorted(SAMPLES.glob("*")) if file.stem == stem] if SAMPLES.is_dir() else []
        if not files:
            names = [name for name in builtin_names() if name.startswith("sample:")]
            raise DataError(f"There is no sample {self.name!r}. There are: {', '.join(names) or 'none'}.")
        return files[0]

    @property
    def _sample(self) -> Reading:
        return Reading(self.sample_file)

    @cached_property
    def rows(self) -> int:
        """How many rows there are."""
        if self._origin == "world":
            return WORLD_ROWS[self.kind]
        return sum(1 for _ in self._sample)

    def __iter__(self) -> Iterator[Record]:
        if self._origin == "sample":
            return iter(self._sample)
        return itertools.islice(self._world(), WORLD_ROWS[self.kind])

    def _world(self) -> Iterator[Record]:
        from lab.world import World

        world, count = World(), WORLD_ROWS[self.kind]
        if self.kind == "documents":
            return (Document(each.text, row) for row, each in enumerate(world.documents(count), 1))
        if self.kind == "conversations":
            said = enumerate(world.conversations(count), 1)
            return (Conversation(Conversation.of(each.messages).messages, row=row) for row, each in said)
        if self.kind == "preferences":
            told = enumerate(world.preferences(count), 1)
            return (PreferencePair((Message("user", p.prompt),), p.chosen, p.rejected, row) for row, p in told)
        problems = enumerate(world.problems(self._parts[0], int(self._parts[1]), count), 1)
        return (Problem(each.question, each.answer, each.worked, each.family, row) for row, each in problems)
