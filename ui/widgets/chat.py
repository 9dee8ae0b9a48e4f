"""Conversations as they read: who speaks, and the words exactly as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from ui.widgets.base import Value, packed, widget


def chat_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """One or several conversations. Its value comes from `chat_value` or `conversations_value`."""
    return widget("chat", value, label=label, elem_id=elem_id, **options)


def chat_value(messages: Iterable[Any], title: str = "") -> Value:
    """The value for one conversation; each message has `role` and `content`, as a mapping or as attributes."""
    return packed({"conversations": [_conversation(messages, title)]})


def conversations_value(conversations: Sequence[Iterable[Any]], titles: Sequence[str] | None = None) -> Value:
    """The value for several conversations, numbered unless they have titles."""
    titles = titles or [f"Conversation {number}" for number in range(1, len(conversations) + 1)]
    shown = [_conversation(each, title) for each, title in zip(conversations, titles, strict=True)]
    return packed({"conversations": shown})


def _conversation(messages: Iterable[Any], title: str) -> dict[str, Any]:
    return {"title": title, "messages": [_message(message) for message in messages]}


def _message(message: Any) -> dict[str, str]:
    if isinstance(message, Mapping):
        return {"role": str(message["role"]), "content": str(message["content"])}
    return {"role": str(message.role), "content": str(message.content)}
