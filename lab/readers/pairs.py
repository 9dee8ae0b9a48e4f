"""Formats whose rows compare two replies: TRL's chosen and rejected, Anthropic's transcripts, verdicts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from lab.preference import PreferencePair
from lab.readers.chats import prompt_turns, transcript_turns, turns_in
from lab.readers.contents import text_of
from lab.readers.fields import CHOSEN, PROMPT, REJECTED, SIDES, SYSTEM, TURNS, VERDICT, Fields
from lab.readers.format import Format, Record, fields_of, missing
from lab.readers.report import Mending, Refused, excerpt
from lab.readers.turns import Turn, conversation, role_of, turn_from

_FIRST = {"a", "1", "model_a", "left", "response_a", "response_1", "first", "chosen_a", "answer_a", "a_is_better"}
_SECOND = {"b", "2", "model_b", "right", "response_b", "response_2", "second", "chosen_b", "answer_b", "b_is_better"}
_NEITHER = {"tie", "both", "neither", "equal", "same", "c", "both_bad", "tie_(bothbad)", "skip", "draw", "none"}


def make_pair(prompt: list[Turn], chosen: Any, rejected: Any, mending: Mending) -> PreferencePair:
    """The pair, its prompt and both replies held to the rules of conversations."""
    texts = [_reply_text(name, side, mending) for name, side in (("chosen", chosen), ("rejected", rejected))]
    if texts[0] == texts[1]:
        raise Refused("both replies are the same", "delete the row: there is nothing to prefer", code="same replies")
    turns = [Turn(turn.role, turn.content, turn.tool_calls, turn.learn) for turn in prompt]
    whole = conversation([*turns, Turn("assistant", texts[0])], mending)
    if len(whole.messages) < 2 or whole.reply.content != texts[0]:
        raise Refused(
            "the prompt does not end with the user's message",
            "the reply must follow a question",
            code="prompt ends with the assistant",
        )
    return PreferencePair(whole.prompt, texts[0], texts[1])


def _reply_text(name: str, side: Any, mending: Mending) -> str:
    if isinstance(side, Turn) and role_of(side) != "assistant":
        raise Refused(
            f"the {name} conversation ends with a turn of the {role_of(side)}",
            "let it end with the assistant's reply",
            code="ends without a reply",
        )
    text = text_of(side.content if isinstance(side, Turn) else side, f"the {name} reply", mending)
    if not text.strip():
        raise Refused(f"the {name} reply is empty", "fill it in, or delete the row", code="empty reply")
    return text


def pair_prompt(fields: Fields, mending: Mending) -> list[Turn]:
    """The turns before the replies, from whichever column holds them; none when there is no such column."""
    system = fields.value(SYSTEM)
    turns = [Turn("system", system)] if system else []
    listed = turns_in(fields) if fields.first(TURNS) else None
    if listed is not None:
        return turns + list(map(turn_from, listed))
    names = tuple(name for name in PROMPT if name in fields)
    if not names:
        return turns
    prompt = prompt_turns(fields.get(names[0]), mending)
    extra = fields.get("input") if names[0] in ("instruction", "prompt", "question") else None
    if isinstance(extra, str) and extra.strip() and names[0] != "input":
        prompt[-1].content = f"{prompt[-1].content}\n{extra}"
    return turns + prompt


class ChosenRejected(Format):
    """`prompt`, `chosen`, `rejected` in every shape of TRL and LLaMA-Factory: texts, one message, lists of messages
    with or without the prompt in front, or whole transcripts (`Human: …`, `Assistant: …`)."""

    name, kind, title = "chosen_rejected", "preferences", "Chosen and rejected"

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        fields = Fields(value)
        return fields.first(CHOSEN) is not None and fields.first(REJECTED) is not None

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "`chosen` and `rejected`")
        for names in (CHOSEN, REJECTED):
            if fields.first(names) is None:
                raise missing(fields, f"{names[0]} reply", names[:1])
        prompt = pair_prompt(fields, mending)
        sides = [_side(fields.value(names)) for names in (CHOSEN, REJECTED)]
        if all(map(_is_conversation, sides)):
            shared, chosen, rejected = _split(sides[0], sides[1], mending)
            prompt = _same_prompt(prompt, shared, mending)
        else:
            chosen, rejected = (_last_of(side) for side in sides)
        if not prompt:
            raise missing(fields, "prompt", ("prompt",))
        return [_graded(make_pair(prompt, chosen, rejected, mending), fields)]


def _graded(pair: PreferencePair, fields: Fields) -> PreferencePair:
    """The pair with its `margin` (by how much the chosen reply is better, as TRL has it) or marked as a tie."""
    margin, tie = fields.get("margin"), fields.get("tie")
    known = isinstance(margin, (int, float)) and not isinstance(margin, bool) and math.isfinite(margin)
    return replace(pair, margin=float(margin) if known else 0.0, tie=tie is True)


def _side(value: Any) -> Any:
    """One side: a list of turns, or a single reply as a `Turn` or as it is."""
    if isinstance(value, dict) and ("role" in value or "from" in value):
        return turn_from(value)
    if isinstance(value, list) and value and isinstance(value[0], dict) and ("role" in value[0] or "from" in value[0]):
        turns = list(map(turn_from, value))
        return turns if len(turns) > 1 else turns[0]
    if isinstance(value, str):
        turns = transcript_turns(value)
        return turns if len(turns) > 1 else value
    return value


def _is_conversation(side: Any) -> bool:
    return isinstance(side, list) and bool(side) and isinstance(side[0], Turn)


def _last_of(side: Any) -> Any:
    return side[-1] if _is_conversation(side) else side


def _same(first: Turn, second: Turn) -> bool:
    return str(first.role).lower() == str(second.role).lower() and first.content == second.content


def _split(chosen: list[Turn], rejected: list[Turn], mending: Mending) -> tuple[list[Turn], Turn, Turn]:
    """The shared beginning of two conversations and the reply of each. Raises `Refused` when more differs."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and _same(chosen[shared], rejected[shared]):
        shared += 1
    if len(chosen) == len(rejected) == shared + 1:
        return chosen[:shared], chosen[-1], rejected[-1]
    who = str(chosen[shared].role).lower()
    if who in ("user", "human", "prompter", "system"):
        raise Refused(
            "the prompts of the two replies differ",
            "compare two replies to the same prompt",
            code="prompts differ",
        )
    raise Refused(
        f"the two conversations part at turn {shared + 1}, before their last reply",
        "compare replies that directly follow the same conversation",
        code="more differs than the last reply",
    )


def _same_prompt(prompt: list[Turn], shared: list[Turn], mending: Mending) -> list[Turn]:
    """The prompt, of a column of its own and of the beginning of both sides. Raises `Refused` when they differ."""
    if not prompt or not shared:
        return prompt or shared
    texts = [str(turns[-1].content).strip() for turns in (prompt, shared)]
    if texts[0] != texts[1] and texts[1] not in texts[0] and texts[0] not in texts[1]:
        raise Refused(
            "the prompt and the beginning of the two conversations differ",
            "make them the same, or leave out the column `prompt`",
            code="prompts differ",
        )
    return shared if len(shared) >= len(prompt) else prompt


class Verdict(Format):
    """Two replies side by side and which is better: `response_a`, `response_b`, `winner`; or `response_j`, the better
    one, and `response_k`."""

    name, kind, title = "verdict", "preferences", "Two replies and a verdict"

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        fields = Fields(value)
        return _sides(fields) is not None and (fields.first(VERDICT) is not None or "response_j" in fields)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "two replies and a verdict")
        names = _sides(fields)
        if names is None:
            raise missing(fields, "two replies", ("response_a", "response_b"))
        first, second = (_side(fields.get(name)) for name in names)
        if names[0] != "response_j" and _verdict(fields, zero_based=names[0].endswith("0")) == 1:
            first, second = second, first
        prompt = pair_prompt(fields, mending)
        if _is_conversation(first) and _is_conversation(second):
            shared, first, second = _split(first, second, mending)
            prompt = _same_prompt(prompt, shared, mending)
        if not prompt:
            raise missing(fields, "prompt", ("prompt",))
        return [make_pair(prompt, _last_of(first), _last_of(second), mending)]


def _sides(fields: Fields) -> tuple[str, str] | None:
    names = (("response_j", "response_k"), *SIDES)
    return next((pair for pair in names if all(name in fields for name in pair)), None)


def _verdict(fields: Fields, *, zero_based: bool) -> int:
    """0 when the first reply is better, 1 for the second. Raises `Refused` for a tie or what names neither."""
    name = fields.first(VERDICT)
    if name is None:
        raise missing(fields, "verdict", ("winner",))
    value = fields.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    word = str(int(value) if number and value == value and abs(value) < 9 else value).strip().lower().replace(" ", "_")
    if zero_based and word in ("0", "1"):
        return int(word)
    if word in _FIRST | _SECOND:
        return int(word in _SECOND)
    if word in _NEITHER:
        raise Refused(
            "the verdict is a tie: no reply is preferred", "nothing: a tie teaches no preference", code="a tie"
        )
    raise Refused(
        f"the verdict in `{name}` is “{excerpt(value)}”, which names neither reply",
        "write a, b or tie",
        code="unknown verdict",
    )
