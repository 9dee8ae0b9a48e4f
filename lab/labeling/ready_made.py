"""Pairs that somebody uploads: read by the same door as training data, shown with the file's own verdict hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.errors import DataError
from lab.labeling.project import Answer, Item, ProjectAbout
from lab.preference import PreferencePair
from lab.readers import ImportReport, Reading

CHOSEN, REJECTED = "chosen", "rejected"
"""What stands for the models: which of the two the file calls better."""


def read_pairs(path: Path, format: str | None = None) -> tuple[list[PreferencePair], ImportReport]:
    """The preference pairs of a file, and the report of all its rows. Raises `DataError` when there are none."""
    reading = Reading(path, format)
    if reading.report.kind != "preferences":
        raise DataError(
            f"{path.name} holds {reading.report.kind or 'no pairs'}: two answers to one prompt are needed, such as the "
            "columns prompt, chosen and rejected.",
            reading.report,
        )
    pairs = [pair for pair in reading if isinstance(pair, PreferencePair)]
    if not pairs:
        raise DataError(f"No row of {path.name} is a pair. {reading.report.sentence()}", reading.report)
    return pairs, reading.report


def items_of(pairs: list[PreferencePair], about: ProjectAbout) -> Iterator[Item]:
    """The pairs as items of a project."""
    for pair in pairs:
        answers = (Answer(CHOSEN, pair.chosen), Answer(REJECTED, pair.rejected))
        prompt = tuple({"role": message.role, "content": message.content} for message in pair.prompt)
        yield Item(pair.key()[:16], prompt, answers, given=0)
