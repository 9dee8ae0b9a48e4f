"""A given text through the eyes of models: the bits that each token costs, and how open the choice was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

from lab.completion import Scored, ScoredToken
from ui.widgets.base import Value, packed, widget

DRAWN = 4_000
"""Tokens of one model sent to the browser; all are counted."""
ALTERNATIVES = 5


def surprise_view(value: Value | None = None, *, label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """A text under one model or several. Value: `surprise_value`."""
    return widget("surprise", value, label=label, elem_id=elem_id, empty=empty)


def surprise_value(models: Sequence[tuple[str, int, Scored]]) -> Value:
    """The value of a `surprise_view` from (name, number of its colour, what the model says of the text)."""
    return packed({"models": [_model(name, colour, scored) for name, colour, scored in models]})


def _model(name: str, colour: int, scored: Scored) -> dict[str, Any]:
    said = [token for token in scored.tokens if token.logprob is not None]
    bits = -scored.logprob / math.log(2)
    loss = -scored.logprob / max(1, len(said))
    return {
        "name": name,
        "colour": colour,
        "tokens": [_row(token) for token in scored.tokens[:DRAWN]],
        "figures": [
            ["bits", f"{bits:,.1f}"],
            ["bits per byte", f"{scored.bits_per_byte:.3f}"],
            ["loss per token, in nats", f"{loss:.3f}"],
            ["perplexity", f"{math.exp(min(loss, 60)):,.1f}"],
            ["tokens", f"{len(scored.tokens):,}"],
        ],
    }


def _row(token: ScoredToken) -> list[Any]:
    """text, bits, entropy in bits, bytes in hex when they are no whole text, the likeliest tokens."""
    bits = None if token.logprob is None else round(-token.logprob / math.log(2), 4)
    entropy = None if token.entropy is None else round(token.entropy / math.log(2), 4)
    whole = "" if token.bytes == token.text.encode("utf-8", "surrogatepass") else token.bytes.hex(" ")
    top = [[text, round(logprob, 4)] for _, text, logprob in token.top[:ALTERNATIVES]]
    return [token.text, bits, entropy, whole, top]
