"""A conversation: what supervised fine-tuning learns from, and what a chat with a model is.

The stored form is one JSON object a line, `{"messages": [{"role": "user", "content": "…"}, …]}`, in OpenAI's words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from lab.errors import DataError

ROLES = ("system", "user", "assistant", "tool")
"""Who can speak; `tool` is the result of a tool that the assistant called."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_calls` are `{"name": …, "arguments": {…}}`; a turn with `learn` off is read but not imitated."""

    role: str
    content: str
    tool_calls: tuple[dict[str, Any], ...] = ()
    learn: bool = True

    def to_json(self) -> dict[str, Any]:
        """The message in OpenAI's form; `weight` 0 stands for `learn` off."""
        values: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            values["tool_calls"] = [{"type": "function", "function": call} for call in self.tool_calls]
        if not self.learn:
            values["weight"] = 0
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The message from `to_json()`'s values. Raises `DataError` when they are not a message."""
        try:
            role, content = values["role"], values["content"]
        except (KeyError, TypeError) as error:
            raise DataError(f"A message needs a role and a content; this has {_excerpt(values)}.") from error
        if not isinstance(role, str) or not (content is None or isinstance(content, str)):
            raise DataError(f"Role and content of a message must be text; this has {_excerpt(values)}.")
        calls = tuple(call.get("function", call) for call in values.get("tool_calls") or ())
        return cls(role, content or "", calls, values.get("weight", 1) != 0)

    def for_template(self, with_tool_calls: bool) -> dict[str, Any]:
        """The message as a chat template takes it. A template without tool calls gets them as text, in the common
        form `<tool_call>{"name": …, "arguments": …}</tool_call>`."""
        values = self.to_json()
        if self.tool_calls and not with_tool_calls:
            del values["tool_calls"]
            calls = (f"<tool_call>{json.dumps(call, ensure_ascii=False)}</tool_call>" for call in self.tool_calls)
            values["content"] = "\n".join([self.content, *calls] if self.content else calls)
        return values


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages in order, the tools that were on offer, and the row of the file that they came from."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    row: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, messages: Iterable[Message | Mapping[str, Any]]) -> Self:
        """A conversation from messages, or from their JSON values."""
        return cls(tuple(m if isinstance(m, Message) else Message.from_json(m) for m in messages))

    def to_json(self) -> dict[str, Any]:
        """The conversation as JSON values."""
        values: dict[str, Any] = {"messages": [message.to_json() for message in self.messages]}
        if self.tools:
            values["tools"] = list(self.tools)
        if self.row is not None:
            values["row"] = self.row
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The conversation from `to_json()`'s values. Raises `DataError` when they are not one."""
        messages = values.get("messages") if isinstance(values, Mapping) else None
        if not isinstance(messages, list):
            raise DataError(f"A conversation needs a list of messages; this has {_excerpt(values)}.")
        return cls(tuple(map(Message.from_json, messages)), tuple(values.get("tools") or ()), values.get("row"))

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything before the last message."""
        return self.messages[:-1]

    @property
    def reply(self) -> Message:
        """The last message."""
        return self.messages[-1]

    def key(self) -> str:
        """A hash of what is said, the same wherever and in whatever file it stands."""
        values = self.to_json()
        values.pop("row", None)
        return content_key(values)


def content_key(values: Any) -> str:
    """A hash of JSON values that does not depend on the order of keys."""
    try:
        text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError):  # numbers beyond 64 bits, half surrogate pairs
        text = json.dumps(values, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()


def _excerpt(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
