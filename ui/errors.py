"""How a `LabError` reaches the person: one decorator, one notice on the page. Other exceptions stay exceptions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from gradio.blocks import Block
from gradio.components import Component

from lab.errors import LabError

CLEAR: dict[str, str] = {"kind": "", "text": ""}
"""A notice that says nothing."""


def message(error: LabError, form: str = "") -> dict[str, str]:
    """What the notice shows of an error; a `ConfigError` of a form also names the field to stand beside."""
    field = getattr(error, "field", None)
    return {"kind": "error", "text": str(error), "field": f"{form}-{field}" if form and field else ""}


def shown(notice: Component, form: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a callback whose event has `notice` as its last output.

    A `LabError` becomes a message on the page (beside the field of `form` that it names) and leaves the other outputs
    as they are; success clears the message. The callback returns its own outputs only: a tuple, one value, a dict by
    component, or None for no output at all.
    """

    def with_notice(result: Any) -> Any:
        if result is None:
            return {notice: CLEAR}
        if isinstance(result, dict) and all(isinstance(key, Block) for key in result):
            return {notice: CLEAR} | result
        return (*result, CLEAR) if isinstance(result, tuple) else (result, CLEAR)

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def call(*values: Any, **named: Any) -> Any:
            try:
                return with_notice(callback(*values, **named))
            except LabError as error:
                return {notice: message(error, form)}

        @functools.wraps(callback)
        def stream(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                for result in callback(*values, **named):
                    yield with_notice(result)
            except LabError as error:
                yield {notice: message(error, form)}

        return stream if inspect.isgeneratorfunction(callback) else call

    return decorate
