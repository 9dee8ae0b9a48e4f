"""What a format is: how to know a row of it, and how to read one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from lab.conversation import Conversation
from lab.document import Document
from lab.preference import PreferencePair
from lab.problem import Problem
from lab.readers.contents import kind_of
from lab.readers.fields import MEDIA, Fields
from lab.readers.json_rows import Row
from lab.readers.report import Mending, Refused, RowProblem, excerpt

Record = Conversation | PreferencePair | Problem | Document

KINDS: dict[str, type[Record]] = {
    "conversations": Conversation,
    "preferences": PreferencePair,
    "problems": Problem,
    "documents": Document,
}
"""What a data set can hold, and for which training: SFT, reward model and DPO, reinforcement learning, pretraining."""


class Gathered(NamedTuple):
    """Several rows of a file that are read as one; its number is that of the first."""

    number: int
    value: Any
    numbers: tuple[int, ...]
    damaged: bool = False


class Format:
    """One way of writing examples into rows."""

    name = ""
    kind = "conversations"
    title = ""
    """What the person sees when choosing."""

    def matches(self, value: Any) -> bool:
        """Whether a row looks like one of this format, judged by its columns and not by what is wrong in it."""
        raise NotImplementedError

    def score(self, values: list[Any]) -> float:
        """How well the first rows of a file fit: the share that match."""
        return sum(map(self.matches, values)) / len(values)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        """The examples in a row. Raises `Refused` when it cannot be taken."""
        raise NotImplementedError

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        """The rows with those put together that belong together."""
        yield from rows


def fields_of(value: Any, needs: str) -> Fields:
    """The columns of a row. Raises `Refused` when it has none, holds pictures, or is already tokenized."""
    if not isinstance(value, dict):
        what = f"the row is {kind_of(value)}" + (f" (“{excerpt(value)}”)" if isinstance(value, str) else "")
        raise Refused(f"{what}, not an object", f"write each row as an object with {needs}", code="row is no object")
    fields = Fields(value)
    media = next((name for name in MEDIA if fields.get(name)), None)
    if media is not None:
        raise Refused(
            f"the row has {media.replace('_', ' ')}",
            "Nudge learns from text only: leave the row out, or describe what is to be seen in words",
            code="pictures, sound or files",
        )
    if "input_ids" in fields:
        raise Refused(
            "the row holds token ids, which mean something for one tokenizer only",
            "use the data as text, from before it was tokenized",
            code="already tokenized",
        )
    return fields


def missing(fields: Fields, what: str, names: Iterable[str]) -> Refused:
    """The refusal of a row that has no column for `what`."""
    has = ", ".join(f"`{name}`" for name in list(fields.values)[:6]) or "nothing"
    return Refused(
        f"the row has no {what}: it has {has}",
        f"give it a column {' or '.join(f'`{name}`' for name in names)}, or say which column it is",
        code=f"no {what}",
    )
