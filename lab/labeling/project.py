"""What a labeling project consists of: its settings, the pairs of answers, what was shown to whom, and the votes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

from lab.arena.votes import Look, Outcome, Vote, look
from lab.config import Config, SamplingConfig
from lab.errors import DataError

Choice = Literal["left", "right", "tie", "both_bad", "skip", "ranking"]
CHOICES = ("left", "right", "tie", "both_bad", "skip", "ranking")
Kind = Literal["first", "repeat", "identical"]

REASONS = ("correct", "complete", "format", "tone", "safe")
"""Why one answer is better, in a word."""
FLAGS = ("unsafe", "broken", "names its model")
"""What somebody should look at."""
SKIPS = ("cannot tell", "do not understand", "need an expert", "not now")
"""Why a pair was passed over."""


@dataclass(frozen=True, kw_only=True)
class LabelingConfig(Config):
    """How a project shows its pairs."""

    samples: int = 1
    """Answers of each model to each prompt. With one model, pairs are made of its own answers."""
    answers: int = 2
    """Answers shown at once. More than 2 are ranked instead of chosen from."""
    overlap: int = 1
    """People who see each pair. More gives agreement to measure, and as many fewer pairs."""
    calibration: int = 0
    """The first so many pairs are seen by everybody: agreement from the first minutes on."""
    repeats: float = 0.07
    """Share of pairs shown again later with the sides exchanged: does a person agree with themselves?"""
    identical: float = 0.02
    """Share of pairs with the same answer on both sides: whoever finds one better is guessing."""
    spacing: int = 20
    """Pairs between a pair and its repeat, and before the first identical one."""
    lease_minutes: float = 10.0
    """A pair that somebody has open is kept from the others for so long."""
    attributes: tuple[str, ...] = ()
    """Qualities to compare besides the choice itself, such as helpful, correct, harmless."""
    reveal: Literal["at once", "at one pace"] = "at once"
    """Show answers whole, or both sides letter by letter at one pace. Never at the pace they were written at."""
    instructions: str = ""
    """What the people who vote are asked to look for."""
    seed: int = 0
    """Fixes the order of the pairs and the samples of the models."""

    def __post_init__(self) -> None:
        self._require(self.samples >= 1, "samples", "each model has to answer at least once.")
        self._require(self.answers >= 2, "answers", "it takes two answers to compare.")
        self._require(self.overlap >= 1, "overlap", "at least one person has to see a pair.")
        self._require(self.calibration >= 0, "calibration", "it must be 0 or more.")
        self._require(self.lease_minutes > 0, "lease_minutes", "it must be above 0.")
        self._require(self.spacing >= 1, "spacing", "it must be at least 1.")
        for name in ("repeats", "identical"):
            self._require(0 <= getattr(self, name) <= 0.5, name, "it must be between 0 and 0.5.")


@dataclass(frozen=True)
class Answer:
    """A text and who wrote it."""

    model: str
    text: str

    @cached_property
    def look(self) -> Look:
        """What it looks like before one has read it."""
        return look(self.text)


@dataclass(frozen=True)
class Item:
    """Answers to one prompt, to be compared. `given` is the answer that an uploaded file says is better."""

    id: str
    prompt: tuple[dict[str, Any], ...]
    answers: tuple[Answer, ...]
    given: int | None = None

    @cached_property
    def is_same(self) -> bool:
        """Whether all answers are one text: there is nothing to compare."""
        return len({answer.text for answer in self.answers}) == 1

    @cached_property
    def prompt_text(self) -> str:
        """The prompt as a text: the message itself when it is one, else who says what."""
        if len(self.prompt) == 1:
            return str(self.prompt[0]["content"])
        return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in self.prompt)

    def to_json(self) -> dict[str, Any]:
        """The item as JSON values."""
        values: dict[str, Any] = {"id": self.id, "prompt": list(self.prompt)}
        values["answers"] = [asdict(answer) for answer in self.answers]
        return values | ({} if self.given is None else {"given": self.given})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The item from `to_json()`'s values."""
        answers = tuple(Answer(**answer) for answer in values["answers"])
        return cls(values["id"], tuple(values["prompt"]), answers, values.get("given"))


@dataclass(frozen=True)
class Showing:
    """An item as one person gets it: `order` says which answer stands where, from the left."""

    id: str
    item: str
    annotator: str
    order: tuple[int, ...]
    kind: Kind = "first"
    repeats: str = ""
    """Id of the showing that this one repeats."""

    def to_json(self) -> dict[str, Any]:
        """The showing as JSON values, without what is usual."""
        values = asdict(self) | {"order": list(self.order)}
        del values["annotator"]
        return {key: value for key, value in values.items() if value not in ("", "first")}

    @classmethod
    def from_json(cls, annotator: str, values: Mapping[str, Any]) -> Self:
        """The showing from `to_json()`'s values."""
        return cls(annotator=annotator, **(dict(values) | {"order": tuple(values["order"])}))


@dataclass(frozen=True)
class Pair:
    """What a person sees of a showing: no names. `answers` has all of them, from the left."""

    id: str
    prompt: str
    answers: tuple[str, ...]
    messages: tuple[dict[str, Any], ...] = ()
    position: int = 0
    """How many pairs this person has had before."""

    @property
    def left(self) -> str:
        """The answer on the left."""
        return self.answers[0]

    @property
    def right(self) -> str:
        """The answer on the right (the last of several)."""
        return self.answers[-1]


@dataclass(frozen=True)
class Remarks:
    """What may be said beside the choice."""

    strength: int = 1
    """2 for much better."""
    reason: str = ""
    chips: tuple[str, ...] = ()
    flag: str = ""
    skip_reason: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By attribute: left, right or tie."""
    ranks: tuple[int, ...] = ()
    """Of a ranking: the place of each answer from the left, 1 the best; equal places are ties."""
    seconds: float | None = None
    """From the pair's appearing to the choice."""

    def to_json(self) -> dict[str, Any]:
        """The remarks as JSON values, without those not made."""
        usual = Remarks()
        values = asdict(self) | {"chips": list(self.chips), "ranks": list(self.ranks)}
        return {key: value for key, value in values.items() if value and value != getattr(usual, key)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The remarks among the values of an action. Raises `DataError` for what cannot be one."""
        known = {key: values[key] for key in Remarks.__dataclass_fields__ if values.get(key) is not None}
        for key, value in known.items():
            if not _fits(key, value):
                raise DataError(f"{key} of a vote cannot be {value!r}.")
        for key in ("chips", "ranks"):
            known[key] = tuple(known.get(key, ()))
        return cls(**known)


def _fits(name: str, value: Any) -> bool:
    """Whether a value can be the remark of this name."""
    if name == "chips":
        return isinstance(value, (list, tuple)) and len(value) <= 20 and all(isinstance(each, str) for each in value)
    if name == "ranks":
        return isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
    if name == "attributes":
        return isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair)
    if name == "seconds":
        return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return type(value) is (int if name == "strength" else str)


@dataclass
class StoredVote:
    """A vote as it was pressed, and the showing it belongs to. `undone` after an undo."""

    id: str
    showing: Showing
    choice: Choice
    remarks: Remarks
    time: float
    undone: bool = False

    @property
    def annotator(self) -> str:
        """Who voted."""
        return self.showing.annotator

    def outcome(self) -> Outcome | None:
        """By answer instead of by side, for a vote on two answers; None for a skip and for a ranking."""
        if self.choice in ("left", "right"):
            answer = self.showing.order[0 if self.choice == "left" else -1]
            return "a" if answer == 0 else "b"
        return self.choice if self.choice in ("tie", "both_bad") else None  # type: ignore[return-value]

    def votes(self, item: Item) -> list[Vote]:
        """The vote as the statistics see it; a ranking gives one for every two answers, a skip none."""
        if self.choice == "ranking":
            return self._ranking(item)
        outcome = self.outcome()
        return [] if outcome is None else [self._between(item, 0, 1, outcome)]

    def _ranking(self, item: Item) -> list[Vote]:
        place = dict(zip(self.showing.order, self.remarks.ranks, strict=True))
        pairs = ((i, j) for i in range(len(item.answers)) for j in range(i + 1, len(item.answers)))
        outcomes: dict[bool | None, Outcome] = {True: "a", False: "b", None: "tie"}
        return [
            self._between(item, i, j, outcomes[None if place[i] == place[j] else place[i] < place[j]]) for i, j in pairs
        ]

    def _between(self, item: Item, i: int, j: int, outcome: Outcome) -> Vote:
        a, b = item.answers[i], item.answers[j]
        left = self.showing.order.index(i) < self.showing.order.index(j)
        return Vote(a.model, b.model, outcome, left, a.look, b.look, item.prompt_text, self.annotator)


@dataclass(frozen=True)
class ProjectAbout:
    """What is fixed when a project is made."""

    id: str
    name: str
    created: float
    secret: str
    """Key of the hashes that choose sides and order; never leaves the machine."""
    code: str
    """What a guest types to take part."""
    config: LabelingConfig
    models: tuple[str, ...] = ()
    sampling: SamplingConfig | None = None
    kind: Literal["project", "arena"] = "project"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self) | {"config": self.config.to_json(), "models": list(self.models)}
        return values | {"sampling": self.sampling.to_json() if self.sampling else None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """From `to_json()`'s values."""
        made = dict(values)
        made["config"] = LabelingConfig.from_json(made["config"])
        made["sampling"] = SamplingConfig.from_json(made["sampling"]) if made.get("sampling") else None
        return cls(**(made | {"models": tuple(made.get("models", ()))}))
