"""From the turns that a file has to a conversation that a model can learn from.

The rules: an optional system message, then user and assistant in turn, and at the end a reply of the assistant that is
not empty. Results of tools come after the assistant that called them. What breaks a rule is refused with the number of
the turn, or put right where the person asked for that (`Mending`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from lab.conversation import Conversation, Message
from lab.readers.contents import as_list, calls_in_text, kind_of, text_of, tool_call
from lab.readers.report import Mending, Refused, excerpt

_NAMES = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter", "person", "customer", "client", "student", "question"),
    "assistant": ("assistant", "gpt", "chatgpt", "bot", "model", "ai", "chatbot", "agent", "bing", "bard", "llm"),
    "call": ("function_call", "tool_call", "functioncall"),
    "tool": ("tool", "observation", "function", "function_response", "tool_response", "ipython", "tool_result"),
}  # fmt: skip
_ROLE = {name: role for role, names in _NAMES.items() for name in names}


@dataclass
class Turn:
    """One turn as the file has it: any role, any content."""

    role: Any
    content: Any
    tool_calls: Any = None
    learn: bool = True
    number: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""


def turn_from(value: Any) -> Turn:
    """A turn from an object in one of the shapes people use: role/content, from/value, speaker/text, …"""
    if not isinstance(value, dict):
        raise Refused(
            f"a turn is {kind_of(value)}, not an object with a role and a text",
            'write each turn as {"role": "user", "content": "…"}',
            code="a turn is no object",
        )
    role = next((value[name] for name in ("role", "from", "speaker", "author", "sender") if name in value), None)
    if isinstance(role, dict):
        role = role.get("role")
    names = ("content", "value", "text", "message", "parts")
    content = next((value[name] for name in names if value.get(name) is not None), None)
    calls = value.get("tool_calls") or value.get("function_call")
    weight = value.get("weight", value.get("loss_weight", value.get("train", value.get("loss"))))
    learn = not (isinstance(weight, (bool, int, float)) and weight == 0)
    return Turn(role, content, calls, learn)


def conversation(turns: list[Turn], mending: Mending, tools: Any = None) -> Conversation:
    """The conversation of these turns. Raises `Refused` for what cannot be learned from."""
    if not turns:
        raise Refused("the conversation has no turns", "fill it in, or delete the row", code="no turns")
    for number, turn in enumerate(turns, 1):
        turn.number = number
        turn.role = role_of(turn)
        _read_content(turn, mending)
    kept = _empty_turns(_system_first(turns, mending), mending)
    kept = _unanswered(_joined(_begins_with_user(kept, mending), mending), mending)
    if not any(turn.learn for turn in kept if turn.role == "assistant"):
        raise Refused(
            "every reply has the weight 0: there is nothing to learn",
            "give at least one reply the weight 1, or delete the row",
            code="nothing to learn",
        )
    return Conversation(tuple(map(_message, kept)), _tools(tools))


def role_of(turn: Turn) -> str:
    """`system`, `user`, `assistant`, `call` or `tool`. Raises `Refused` for a role that nobody has."""
    name = turn.role.strip().lower().replace(" ", "_").replace("-", "_") if isinstance(turn.role, str) else None
    if name is None or name not in _ROLE:
        says = "has no role" if turn.role in (None, "") else f"has the role “{excerpt(turn.role)}”"
        raise Refused(
            f"{f'turn {turn.number}' if turn.number else 'a turn'} {says}",
            "the roles are system, user, assistant and tool (or human, gpt, observation)",
            code="unknown role",
        )
    return _ROLE[name]


def _read_content(turn: Turn, mending: Mending) -> None:
    """Fill in the text and the calls of a turn from what the file has."""
    if turn.tool_calls:
        turn.calls = [tool_call(call, turn.number) for call in as_list(turn.tool_calls)]
    if turn.role == "call":
        turn.role = "assistant"
        calls = calls_in_text(turn.content)
        if calls:
            turn.calls, turn.content = calls, ""
    turn.text = text_of(turn.content, f"turn {turn.number}", mending, turn.calls)


def _system_first(turns: list[Turn], mending: Mending) -> list[Turn]:
    """The turns with one system message at most, at the front. An empty one says nothing and is left out."""
    system = [turn for turn in turns if turn.role == "system" and turn.text.strip()]
    others = [turn for turn in turns if turn.role != "system"]
    if not system:
        return others
    late = next((turn for turn in system if any(other.number < turn.number for other in others)), None)
    if late is not None:
        mending.need(
            f"turn {late.number} is a system message in the middle of the conversation",
            "put it at the beginning",
            code="system message not first",
            done="the system message was put at the beginning",
        )
    elif len(system) > 1:
        mending.need(
            f"the conversation begins with {len(system)} system messages",
            "make one of them",
            code="several system messages",
            done="the system messages were joined",
        )
    return [replace(system[0], text="\n\n".join(turn.text for turn in system)), *others]


def _body(turns: list[Turn]) -> int:
    return 1 if turns and turns[0].role == "system" else 0


def _empty_turns(turns: list[Turn], mending: Mending) -> list[Turn]:
    """The turns without empty ones. An exchange goes as a whole: a question without an answer teaches nothing."""
    kept: list[Turn] = []
    without_question = False
    for turn in turns:
        if without_question and turn.role in ("assistant", "tool"):
            continue
        without_question = False
        if turn.text.strip() or turn.calls or turn.role == "tool":
            kept.append(turn)
            continue
        reply = turn.role == "assistant"
        which = "last reply" if turn is turns[-1] and reply else "assistant's reply" if reply else "user's message"
        mending.need(
            f"turn {turn.number}, the {which}, is empty",
            "fill it in, or leave out this question and its answer",
            code="empty reply" if reply else "empty message",
            done=f"turn {turn.number}, which is empty, was left out with the question or answer that belongs to it",
        )
        without_question = not reply
        if reply and kept and kept[-1].role in ("user", "tool"):
            while kept and kept[-1].role in ("assistant", "tool"):
                kept.pop()
            if kept and kept[-1].role == "user":
                kept.pop()
    return kept


def _begins_with_user(turns: list[Turn], mending: Mending) -> list[Turn]:
    start = _body(turns)
    first = next((n for n, turn in enumerate(turns) if turn.role == "user"), len(turns))
    if first > start:
        who = "a tool" if turns[start].role == "tool" else "the assistant"
        mending.need(
            f"the conversation begins with {who}; there is no question before it",
            "put the user's message before it, or leave this turn out",
            code="begins with the assistant",
            done="the turns before the user's first message were left out",
        )
    return turns[:start] + turns[first:]


def _joined(turns: list[Turn], mending: Mending) -> list[Turn]:
    """The turns with two of one side after each other made one."""
    kept: list[Turn] = []
    for turn in turns:
        before = kept[-1] if kept else None
        if before is None or (turn.role == "tool" and before.role in ("assistant", "tool")):
            kept.append(turn)
        elif turn.role == "tool":
            raise Refused(
                f"turn {turn.number} is the result of a tool that the assistant did not call",
                "put the assistant's call before it",
                code="tool result without a call",
            )
        elif turn.role != before.role:
            kept.append(turn)
        else:
            mending.need(
                f"turns {before.number} and {turn.number} are both the {turn.role}'s",
                "make one turn of the two, or put in what is missing between them",
                code="two turns of one side in a row",
                done=f"turns {before.number} and {turn.number}, both the {turn.role}'s, were joined",
            )
            text = "\n\n".join(text for text in (before.text, turn.text) if text)
            kept[-1] = replace(before, text=text, calls=before.calls + turn.calls, learn=before.learn and turn.learn)
    return kept


def _unanswered(turns: list[Turn], mending: Mending) -> list[Turn]:
    """The turns up to the last reply."""
    last = max((n for n, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
    if last < 0:
        raise Refused("there is no reply of the assistant", "add one, or delete the row", code="no reply")
    if last < len(turns) - 1:
        who = "the result of a tool" if turns[-1].role == "tool" else "the user's"
        mending.need(
            f"the last turn is {who}; it has no reply",
            "add the assistant's reply, or leave out what comes after its last one",
            code="ends without a reply",
            done="the end, which has no reply, was left out",
        )
    return turns[: last + 1]


def _message(turn: Turn) -> Message:
    return Message(turn.role, turn.text, tuple(turn.calls), turn.learn or turn.role != "assistant")


def _tools(tools: Any) -> tuple[dict[str, Any], ...]:
    """The tools on offer, which many files write as JSON text."""
    if isinstance(tools, str):
        try:
            tools = json.loads(tools) if tools.strip() else []
        except (ValueError, RecursionError):
            raise Refused("`tools` is no JSON", "mend it, or leave the column out", code="broken tools") from None
    listed = as_list(tools) if tools else []
    if not all(isinstance(tool, dict) for tool in listed):
        raise Refused("`tools` is not a list of objects", "mend it, or leave the column out", code="broken tools")
    return tuple(listed)
