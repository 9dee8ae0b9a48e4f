"""What a reward is given and what it gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from lab.errors import DataError


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion to be judged: what was asked, what was written, the right answer where there is one.

    `ended` is False for a completion that was cut off at its limit of tokens.
    """

    prompt: str
    completion: str
    answer: str = ""
    category: str = ""
    ended: bool = True

    @property
    def conversation(self) -> list[dict[str, str]]:
        """Question and completion as messages: what a reward model reads."""
        return [{"role": "user", "content": self.prompt}, {"role": "assistant", "content": self.completion}]

    @classmethod
    def of(cls, values: Self | Mapping[str, Any]) -> Self:
        """A sample from a mapping with `prompt`, `completion` and whatever else of its fields there is."""
        if isinstance(values, cls):
            return values
        try:
            return cls(**values)  # type: ignore[arg-type]
        except TypeError as error:
            raise DataError("A sample has `prompt` and `completion`, and may have `answer` and `category`.") from error


@dataclass(frozen=True, slots=True)
class Score:
    """What a reward says of one sample. A reward that failed on it has the value nan and says why."""

    value: float
    error: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    """Of a sum: what each of its rewards said, before its weight."""


Reward = Callable[[Sequence[Sample]], list[Score]]
"""Judges samples, all at once; one score for each, in order."""


def failed(error: str) -> Score:
    """The score of a sample that could not be judged."""
    return Score(math.nan, error)
