"""Prompts that make a base model do a task: examples before the question, or a conversation it goes on with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from lab.errors import DataError

MOST_SHOTS = 10
ASSISTANT_STOP = "\nPerson:"
ASSISTANT = (
    "Below is a conversation between a person and a helpful assistant. The assistant answers in one short sentence.\n\n"
    "Person: What is the color of the sky?\nAssistant: The sky is blue.\n\n"
    "Person: What is 2 + 3?\nAssistant: 2 + 3 = 5.\n\n"
    "Person: {question}\nAssistant:"
)
"""A document in which somebody asks and somebody answers: what comes next is an answer."""


class Example(NamedTuple):
    """A question with its answer."""

    question: str
    answer: str


class Shot(NamedTuple):
    """A prompt with so many examples in front, and the answer that would be right."""

    prompt: str
    answer: str


def read_table(text: str) -> list[Example]:
    """Examples from lines `question: answer` (or with a tab or => between). Raises `DataError` naming a line that is
    not one."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = re.split(r"\t|\s*=>\s*|:\s+", line.strip(), maxsplit=1)
        if len(parts) < 2 or not all(part.strip() for part in parts):
            raise DataError(f"Line {number} is no question with an answer: write “question: answer”.")
        found.append(Example(parts[0].strip(), parts[1].strip()))
    return found


def few_shot_prompt(examples: Sequence[Example], question: str) -> str:
    """The examples as lines `question: answer`, then the question with its answer left open."""
    return "\n".join([*(f"{each.question}: {each.answer}" for each in examples), f"{question}:"])


def shots_of(table: Sequence[Example], shots: int, seed: int = 0) -> list[Shot]:
    """Every question of the table once, each after `shots` other examples drawn from it. Raises `DataError` when the
    table is too short."""
    if not 0 <= shots <= min(MOST_SHOTS, len(table) - 1):
        raise DataError(
            f"{shots} shots need a table with {shots + 1} rows or more (at most {MOST_SHOTS} shots); "
            f"this one has {len(table)}."
        )
    made = []
    for place, example in enumerate(table):
        others = [*table[:place], *table[place + 1 :]]
        drawn = Random(f"few-shot {seed} {place}").sample(others, shots)
        made.append(Shot(few_shot_prompt(drawn, example.question), example.answer))
    return made


def is_right(text: str, answer: str) -> bool:
    """Whether the first line of what was written is the answer, a full stop and capitals aside."""
    line = text.strip().partition("\n")[0].strip().rstrip(".")
    return line.casefold() == answer.strip().rstrip(".").casefold()
