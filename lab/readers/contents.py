"""What stands in a turn, as text: plain, typed parts, numbers, calls of tools."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from lab.readers.report import Mending, Refused, excerpt

_MEDIA = ("image", "audio", "video", "file", "document", "input_image", "input_audio", "input_file")


def text_of(value: Any, where: str, mending: Mending, calls: list[dict[str, Any]] | None = None) -> str:
    """A content as text: as it is, joined from the parts of a typed list, or a number or truth value written out."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        text = json.dumps(value)
        mending.need(
            f"{where} is {kind_of(value)} ({text}), not text",
            "put it in quotation marks",
            code="not text",
            done=f"{where} was written as the text “{excerpt(text)}”",
        )
        return text
    if isinstance(value, dict) and "parts" in value:
        value = value["parts"]
    if isinstance(value, (list, tuple)):
        parts = [_part(part, where, mending, calls) for part in value]
        return "\n".join(part for part in parts if part)
    if isinstance(value, dict):
        return _part(value, where, mending, calls)
    raise Refused(f"{where} is {kind_of(value)}, not text", "write it as text", code="not text")


def _part(part: Any, where: str, mending: Mending, calls: list[dict[str, Any]] | None) -> str:
    """The text of one part of a typed content list."""
    if not isinstance(part, dict):
        return text_of(part, where, mending) if not isinstance(part, (list, tuple)) else _nested(where)
    kind = str(part.get("type", part.get("content_type", "text")))
    if any(kind.startswith(media) for media in _MEDIA) or "asset_pointer" in kind:
        raise Refused(
            f"{where} has {'an' if kind[0] in 'aio' else 'a'} {kind.replace('_', ' ')} in it",
            "Nudge learns from text only: leave the row out, or describe what is to be seen in words",
            code="pictures, sound or files",
        )
    value = next((part[name] for name in ("text", "value", "content", kind) if part.get(name) is not None), None)
    if kind in ("tool_use", "tool_call", "tool_calls", "function_call") and calls is not None:
        calls += calls_in_text(value) or [tool_call(part, 0)]
        return ""
    if kind in ("thinking", "reasoning") and isinstance(value, str):
        return f"<think>\n{value}\n</think>\n"
    if value is None or (isinstance(value, (dict, list)) and kind != "tool_result"):
        raise Refused(
            f"{where} has a part of the type “{excerpt(kind)}” without text",
            'write parts as {"type": "text", "text": "…"}',
            code="a part without text",
        )
    return text_of(value, where, mending)


def _nested(where: str) -> str:
    raise Refused(f"{where} is a list in a list", "write it as text", code="not text")


def tool_call(call: Any, number: int) -> dict[str, Any]:
    """A call of a tool as `{"name": …, "arguments": …}`; arguments written as JSON text are read."""
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        call = call["function"]
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise Refused(
            f"{f'turn {number}' if number else 'a turn'} calls a tool without a name",
            'write a call as {"name": "…", "arguments": {…}}',
            code="broken tool call",
        )
    arguments: Any = next((call[key] for key in ("arguments", "input", "parameters") if key in call), {})
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):  # what is no object stays as the model wrote it
            read = json.loads(arguments)
            arguments = read if isinstance(read, dict) else arguments
    return {"name": call["name"], "arguments": arguments}


def calls_in_text(value: Any) -> list[dict[str, Any]]:
    """The calls in a text that is their JSON; none if it is not."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    try:
        return [tool_call(call, 0) for call in as_list(value)]
    except Refused:
        return []


def as_list(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def kind_of(value: Any) -> str:
    """What kind of value this is, in words."""
    if value is None:
        return "empty"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a truth value"),
        ((int, float), "a number"),
        (str, "a text"),
        ((list, tuple), "a list"),
        (dict, "an object"),
        (bytes, "binary data"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), f"a {type(value).__name__}")
