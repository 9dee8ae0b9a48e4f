"""KTO's format: replies that are each labelled good or bad (Ethayarajh et al. 2024, arXiv:2402.01306)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lab.conversation import content_key
from lab.readers.chats import reply_turn, turns_in
from lab.readers.fields import PROMPT, TURNS, Fields
from lab.readers.format import Format, Gathered, Record, fields_of, missing
from lab.readers.json_rows import Row
from lab.readers.pairs import make_pair, pair_prompt
from lab.readers.report import Mending, Refused, RowProblem
from lab.readers.turns import Turn, conversation, turn_from

_REPLY = ("completion", "response", "output")
_MOST_WAITING = 20_000


class Labelled(Format):
    """KTO's rows: one reply each, labelled good or bad. A good and a bad reply to the same prompt make a pair; a row
    without its opposite is reported."""

    name, kind, title = "kto", "preferences", "Replies labelled good or bad (KTO), as pairs"

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        fields = Fields(value)
        reply = fields.first(TURNS) or fields.first(_REPLY)
        return isinstance(_label_of(fields), bool) and reply is not None

    def score(self, values: list[Any]) -> float:
        """Lower where hardly any prompt has replies of both kinds."""
        told = [prompt for prompt in map(_told, values) if prompt is not None]
        paired = sum((prompt, not label) in set(told) for prompt, label in told)
        return super().score(values) * (1.0 if paired * 3 > len(told) else 0.5)

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        """Rows with the same prompt are put together, unless many others stand between them."""
        waiting: dict[tuple[str, bool], Row] = {}
        for row in rows:
            told = _told(row.value) if isinstance(row, Row) else None
            if told is None or not isinstance(row, Row):
                yield row
                continue
            prompt, label = told
            other = waiting.pop((prompt, not label), None)
            if other is None:
                earlier = waiting.pop((prompt, label), None)
                if earlier is not None:
                    yield earlier
                waiting[prompt, label] = row
                if len(waiting) > _MOST_WAITING:
                    yield waiting.pop(next(iter(waiting)))
            else:
                good, bad = (row, other) if label else (other, row)
                numbers = (other.number, row.number)
                yield Gathered(row.number, [good.value, bad.value], numbers, row.damaged or other.damaged)
        yield from waiting.values()

    def read(self, value: Any, mending: Mending) -> list[Record]:
        labels = [(_told(side) or ("", None))[1] for side in value] if isinstance(value, list) else []
        if labels != [True, False]:
            fields = fields_of(value, "a reply and a label")
            said = {True: "good", False: "bad"}.get(_label_of(fields) or False)
            raise Refused(
                f"there is a reply labelled {said} to this prompt, and none with the opposite label",
                "add the opposite, or import the good replies as conversations (format `kto_good`)",
                code="no opposite reply",
            )
        sides = [_labelled_turns(Fields(side), mending) for side in value]
        return [make_pair(sides[0][:-1], sides[0][-1], sides[1][-1], mending)]


class LabelledGood(Labelled):
    """The same rows; the good replies as conversations to learn from, the bad ones reported."""

    name, kind, title = "kto_good", "conversations", "Replies labelled good or bad (KTO), the good ones"

    def score(self, values: list[Any]) -> float:
        return Format.score(self, values)

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        yield from rows

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "a reply and a label")
        label = _label_of(fields)
        if label is None:
            raise missing(fields, "label", ("label",))
        if not label:
            raise Refused(
                "the reply is labelled bad: it is not one to imitate",
                "nothing, or give it a good one",
                code="labelled bad",
            )
        return [conversation(_labelled_turns(fields, mending), mending)]


def _label_of(fields: Fields) -> bool | None:
    """True for a good reply, False for a bad one, None for anything else."""
    value = fields.value(("label", "kto_tag"))
    if isinstance(value, str):
        return {"true": True, "false": False, "good": True, "bad": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, (bool, int)) and value in (0, 1) else None


def _labelled_turns(fields: Fields, mending: Mending) -> list[Turn]:
    listed = turns_in(fields)
    if listed is not None:
        return list(map(turn_from, listed))
    return [*pair_prompt(fields, mending), reply_turn(fields.value(_REPLY), mending)]


def _told(value: Any) -> tuple[str, bool] | None:
    """The prompt of a labelled row, as a hash, and its label."""
    if not isinstance(value, dict):
        return None
    fields = Fields(value)
    label = _label_of(fields)
    listed = turns_in(fields)
    prompt = listed[:-1] if listed else fields.value(PROMPT)
    return None if label is None or not prompt else (content_key(str(prompt)), label)
