"""Formats whose rows are conversations: OpenAI's `messages`, ShareGPT, Alpaca, prompt and completion, transcripts."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.readers.contents import kind_of, text_of
from lab.readers.fields import INSTRUCTION, PROMPT, REPLY, SYSTEM, TURNS, Fields
from lab.readers.format import Format, Record, fields_of, missing
from lab.readers.report import Mending, Refused
from lab.readers.turns import Turn, conversation, turn_from


class Turns(Format):
    """Rows with a list of turns. The two formats differ in the names of a turn's parts; both readers take both."""

    marks: tuple[str, ...] = ()

    def matches(self, value: Any) -> bool:
        turns = turns_in(Fields(value)) if isinstance(value, dict) else value
        if not isinstance(turns, list) or not turns or not isinstance(turns[0], dict):
            return False
        return all(mark in turns[0] for mark in self.marks)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        if isinstance(value, list):
            return [conversation([turn_from(turn) for turn in value], mending)]
        fields = fields_of(value, "a list of messages")
        if fields.first(TURNS) is None:
            raise missing(fields, "list of messages", ("messages", "conversations"))
        turns = turns_in(fields)
        if turns is None:
            name = fields.first(TURNS)
            raise Refused(
                f"`{name}` is {kind_of(fields.get(name or ''))}, not a list of turns",
                'write it as [{"role": "user", "content": "…"}, …]',
                code="messages are no list",
            )
        return [conversation(_system(fields, mending) + list(map(turn_from, turns)), mending, fields.get("tools"))]


class Messages(Turns):
    """`{"messages": [{"role": "user", "content": "…"}, …]}`."""

    name, title, marks = "messages", "OpenAI messages", ("role",)


class ShareGPT(Turns):
    """`{"conversations": [{"from": "human", "value": "…"}, …], "system": "…", "tools": "…"}`."""

    name, title, marks = "sharegpt", "ShareGPT", ("from",)


def turns_in(fields: Fields) -> list[Any] | None:
    """The list of turns of a row, which tables hold as JSON text; None when there is no list."""
    for name in TURNS:
        turns = fields.get(name)
        if isinstance(turns, str) and turns.lstrip()[:1] == "[":
            try:
                turns = json.loads(turns)
            except (ValueError, RecursionError):
                continue
        if isinstance(turns, list) and not (turns and isinstance(turns[0], (list, str))):
            return turns
    return None


def _system(fields: Fields, mending: Mending) -> list[Turn]:
    """The system message that stands in a column of its own; none when it is empty."""
    system = fields.value(SYSTEM)
    return [Turn("system", text_of(system, "the system message", mending))] if system else []


class Alpaca(Format):
    """`{"instruction": "…", "input": "…", "output": "…", "system": "…", "history": [["question", "answer"], …]}`."""

    name, title = "alpaca", "Alpaca"

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        fields = Fields(value)
        return fields.first(INSTRUCTION) is not None and fields.first(REPLY) is not None

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "an `instruction` and an `output`")
        if fields.first(INSTRUCTION) is None:
            raise missing(fields, "instruction", INSTRUCTION[:1])
        if fields.first(REPLY) is None:
            raise missing(fields, "answer", ("output",))
        question = text_of(fields.value(INSTRUCTION), "the instruction", mending)
        extra = text_of(fields.get("input"), "the input", mending)
        turns = _system(fields, mending) + _history(fields.get("history"))
        turns.append(Turn("user", "\n".join(text for text in (question, extra) if text.strip())))
        turns.append(reply_turn(fields.value(REPLY), mending))
        return [conversation(turns, mending, fields.get("tools"))]


def _history(history: Any) -> list[Turn]:
    """Earlier turns as pairs of a question and an answer."""
    if not history:
        return []
    if not isinstance(history, list) or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in history):
        raise Refused(
            "`history` is not a list of pairs", 'write it as [["question", "answer"], …]', code="broken history"
        )
    return [Turn(role, text) for pair in history for role, text in zip(("user", "assistant"), pair)]


def reply_turn(value: Any, mending: Mending) -> Turn:
    """The reply; a list of one message, or of one text, counts as that."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and ("role" in value or "from" in value):
        return turn_from(value)
    return Turn("assistant", text_of(value, "the answer", mending))


class PromptCompletion(Format):
    """`{"prompt": "…", "completion": "…"}` under the many names people give the two; either may be messages."""

    name, title = "prompt_completion", "Prompt and completion"

    def matches(self, value: Any) -> bool:
        return isinstance(value, dict) and all(self._names(Fields(value)))

    def _names(self, fields: Fields) -> tuple[str | None, str | None]:
        prompt = fields.first(PROMPT)
        return prompt, next((name for name in REPLY if name in fields and name != prompt), None)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "a `prompt` and a `completion`")
        prompt, reply = self._names(fields)
        if prompt is None:
            raise missing(fields, "prompt", ("prompt",))
        if reply is None:
            raise missing(fields, "completion", ("completion",))
        turns = _system(fields, mending) + prompt_turns(fields.get(prompt), mending)
        extra = fields.first(("context", "input")) if prompt not in ("input", "context") else None
        if extra and turns[-1].role == "user" and isinstance(fields.get(extra), str) and fields.get(extra).strip():
            turns[-1].content = f"{turns[-1].content}\n{fields.get(extra)}"
        turns.append(reply_turn(fields.get(reply), mending))
        return [conversation(turns, mending, fields.get("tools"))]


def prompt_turns(value: Any, mending: Mending) -> list[Turn]:
    """A prompt as turns: a text is the user's, a list of messages what it says, a transcript is cut into turns."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and ("role" in value[0] or "from" in value[0]):
        return list(map(turn_from, value))
    text = text_of(value, "the prompt", mending)
    turns = transcript_turns(text) if "assistant:" in text.lower() else []
    if turns and not str(turns[-1].content).strip() and turns[-1].role == "Assistant":
        turns.pop()  # the prompt ends with "Assistant:", where the reply comes
    return turns or [Turn("user", text)]


_SPEAKER = re.compile(r"(?:\A\s*|\n\s*\n\s*|\s*###\s*)(Human|Assistant|User|System)\s*:[ \t]*", re.IGNORECASE)
_STRICT = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ \t]*")


def transcript_turns(text: str) -> list[Turn]:
    """The turns of a text written as `Human: …` and `Assistant: …` with an empty line or ### before each; none if it is
    no such text. A name inside a turn's own text, without that, is left there."""
    pattern = _STRICT if _STRICT.match(text) else _SPEAKER
    if not pattern.match(text):
        return []
    pieces = pattern.split(text)[1:]
    return [Turn(role, content.strip()) for role, content in zip(pieces[::2], pieces[1::2])]


class Transcript(Format):
    """`{"text": "### Human: … ### Assistant: …"}` or the same with empty lines between the turns."""

    name, title = "transcript", "Transcripts (Human: … Assistant: …)"

    def matches(self, value: Any) -> bool:
        text = value.get("text") if isinstance(value, dict) else value
        return isinstance(text, str) and {t.role.lower() for t in transcript_turns(text)} >= {"human", "assistant"}

    def read(self, value: Any, mending: Mending) -> list[Record]:
        text = fields_of(value, "a `text`").get("text") if not isinstance(value, str) else value
        turns = transcript_turns(text) if isinstance(text, str) else []
        if not turns:
            raise Refused(
                "the text does not begin with “Human:” or another speaker's name",
                "write `Human: …`, an empty line, `Assistant: …`",
                code="no transcript",
            )
        return [conversation(turns, mending)]
