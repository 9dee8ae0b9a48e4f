"""Text of a model as it is made: each token with its probability and what else it could have been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import gradio as gr

from ui.widgets.base import Value, packed, widget

FINISHES = {
    "end": "the model ended its text",
    "stop": "a stop text came",
    "stopped": "stopped",
    "context": "the context window is full",
}
"""Why a text ends, as the page says it."""

State = Literal["waiting", "running", "done"]


def stream_view(
    value: Value | None = None, *, label: str, elem_id: str, choosable: bool = False, **options: Any
) -> gr.HTML:
    """A growing text. Value: `stream_value`. When `choosable`, choosing an alternative triggers `choose`, whose
    `gr.EventData` has `.key`, `.position` (of the token replaced) and `.id` (of the token to stand there)."""
    triggers = ("choose",) if choosable else ()
    return widget("stream", value, label=label, elem_id=elem_id, triggers=triggers, choosable=choosable, **options)


def stream_value(
    key: str, prompt: str, tokens: Sequence[Any], *, start: int = 0, state: State = "done", note: str = ""
) -> Value:
    """What a `stream_view` is given next. See `stream_data`."""
    return packed(stream_data(key, prompt, tokens, start=start, state=state, note=note))


def stream_data(
    key: str, prompt: str, tokens: Sequence[Any], *, start: int = 0, state: State = "done", note: str = ""
) -> dict[str, Any]:
    """A growing text, as the page draws it.

    Args:
        key: names this text; another key starts the view anew.
        prompt: the text before the tokens.
        tokens: objects with `.id .text .logprob` and perhaps `.top` (`[(id, text, logprob)]`) and `.bytes`, from number
            `start` on. The view keeps the tokens it has, so that while a text grows only the last ones travel; it skips
            what it has already, and data with `start=0` repair a gap.
        start: number of the first of `tokens`.
        state: waiting for the first token, running, or done.
        note: a line under the text.
    """
    return {
        "key": key,
        "prompt": prompt,
        "start": start,
        "tokens": [_row(token) for token in tokens],
        "state": state,
        "note": note,
    }


def ending(finish: str, tokens: int) -> str:
    """Why a text of so many tokens ends, in words."""
    return FINISHES.get(finish, f"the limit of {tokens:,} tokens")


def _row(token: Any) -> list[Any]:
    """id, text, log-probability, alternatives; the bytes in hex when they are no whole text; what a control token is
    called (it has bytes but no text)."""
    raw = getattr(token, "bytes", b"")
    written = raw.decode("utf-8", "replace")
    control = written if raw and not token.text and "\ufffd" not in written else ""
    partial = raw.hex(" ") if raw and written != token.text and not control else ""
    top = [[id, text, round(logprob, 5)] for id, text, logprob in getattr(token, "top", ())]
    return [token.id, token.text, round(token.logprob, 5), top, partial, control]
