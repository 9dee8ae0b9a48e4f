"""Prompts in whatever shape they are given, as lists of messages that end before the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lab.conversation import Conversation
from lab.errors import DataError

Prompt = str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Conversation
Messages = list[dict[str, Any]]
Sets = Callable[[str], Iterator[Conversation]]
"""The conversations of a data set, by its name."""


def prompts_from(given: Iterable[Prompt] | str, sets: Sets, limit: int) -> list[Messages]:
    """The prompts given, or those of the data set that a single text names: at most `limit`, each once."""
    many: Iterable[Prompt] = sets(given) if isinstance(given, str) else given
    found: dict[str, Messages] = {}
    for prompt in many:
        messages = messages_of(prompt)
        found.setdefault(repr(messages), messages)
        if isinstance(given, str) and len(found) >= limit:
            break
    return list(islice(found.values(), limit)) if isinstance(given, str) else list(found.values())


def messages_of(prompt: Prompt) -> Messages:
    """A prompt as messages; an answer at its end is left out. Raises `DataError` for an empty one."""
    if isinstance(prompt, str):
        messages: Messages = [{"role": "user", "content": prompt}]
    elif isinstance(prompt, Conversation):
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
    elif isinstance(prompt, Mapping):
        messages = messages_of(Conversation.from_json(prompt)) if "messages" in prompt else [dict(prompt)]
    else:
        messages = [{"role": str(message["role"]), "content": str(message["content"])} for message in prompt]
    while len(messages) > 1 and messages[-1]["role"] == "assistant":
        messages.pop()
    if not messages or not messages[-1]["content"].strip():
        raise DataError("A prompt is empty.")
    return messages


def no_sets(name: str) -> Iterator[Conversation]:
    """Where there are no data sets."""
    raise DataError(f"There is no data set {name!r} to take prompts from.")
