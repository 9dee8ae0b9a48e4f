"""How a `LabError` reaches the person: one decorator, one notice on the page. Other exceptions stay exceptions."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

from gradio.blocks import Block
from gradio.components import Component

from lab.errors import LabError


def message(error: LabError, form: str = "") -> dict[str, Any]:
    """What the notice shows of an error; a `ConfigError` of a form also names the field to stand beside."""
    field = getattr(error, "field", None)
    beside = f"{form}-{field}" if form and field else ""
    return {"kind": "error", "text": str(error), "field": beside, "at": time.monotonic()}


def nothing_wrong(since: float) -> dict[str, Any]:
    """A notice that says nothing: what an event gives that went well. `since` is when it began; a message that has
    come up after that is about something else and stays."""
    return {"kind": "", "text": "", "at": since}


def shown(notice: Component, form: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a callback whose event has `notice` as its last output.

    A `LabError` becomes a message on the page (beside the field of `form` that it names) and leaves the other outputs
    as they are; success clears the message, unless it came up while the callback was at work. The callback returns its
    own outputs only: a tuple, one value, a dict by component, or None for no output at all.
    """

    def with_notice(result: Any, since: float) -> Any:
        clear = nothing_wrong(since)
        if result is None:
            return {notice: clear}
        if isinstance(result, dict) and all(isinstance(key, Block) for key in result):
            return {notice: clear} | result
        return (*result, clear) if isinstance(result, tuple) else (result, clear)

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def call(*values: Any, **named: Any) -> Any:
            since = time.monotonic()
            try:
                return with_notice(callback(*values, **named), since)
            except LabError as error:
                return {notice: message(error, form)}

        @functools.wraps(callback)
        def stream(*values: Any, **named: Any) -> Iterator[Any]:
            since = time.monotonic()
            try:
                for result in callback(*values, **named):
                    yield with_notice(result, since)
            except LabError as error:
                yield {notice: message(error, form)}

        return stream if inspect.isgeneratorfunction(callback) else call

    return decorate
