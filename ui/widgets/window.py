"""One window of training text: what each token must be predicted from, and what a nudge changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from lab.tokenizer import Tokenizer
from ui.widgets.base import Value, packed, widget


def window_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """A window of text with the bars of what comes next at a chosen place. Value: `window_value`."""
    return widget("window", value, label=label, elem_id=elem_id, **options)


def window_value(
    tokenizer: Tokenizer,
    window: Sequence[Sequence[int]],
    nudged: Mapping[str, Any] | None = None,
    steps: int = 0,
    key: str = "",
) -> Value:
    """The value of a `window_view`.

    Args:
        tokenizer: gives the text of the ids.
        window: pieces of documents, as token ids.
        nudged: the values of `lab.one_nudge.Nudged`; None while the model has not been asked.
        steps: how many steps were taken; 0 for a look at the model as it is.
        key: names the window and the network. A look that comes late does not take away a nudge of the same key.

    Returns:
        `tokens` [text, bytes in hex where it is no whole text, special, place]: place is the number of the prediction
        that the token is the answer to, or None for a token that begins a piece; `places` {top, before, after};
        `words`, sentences; `others` (changes in bits per token, the largest gain first).
    """
    special = set(tokenizer.special_tokens.values())
    tokens, place = [], 0
    for piece in window:
        for number, id in enumerate(piece):
            raw = tokenizer.token_bytes(id)
            text = raw.decode("utf-8", "replace")
            tokens.append([text, raw.hex(" ") if "\ufffd" in text else "", id in special, place if number else None])
            place += bool(number)
    value: dict[str, Any] = {"tokens": tokens, "places": [], "others": [], "words": [], "steps": steps, "key": key}
    if nudged is not None:
        ids = [id for piece in window for id in piece[1:]]
        value["places"] = [_place(position, id) for position, id in zip(nudged["positions"], ids)]
        value["others"] = sorted((after - before) / math.log(2) for before, after in nudged["others"]) if steps else []
        value["words"] = sentences(nudged, steps)
    return packed(value)


def _place(position: Mapping[str, Any], answer: int) -> dict[str, Any]:
    rows = [[id, text, _share(before), _share(after), id == answer] for id, text, before, after in position["top"]]
    return {"before": round(position["before"], 4), "after": round(position["after"], 4), "top": rows}


def _share(logp: float) -> float:
    return float(f"{math.exp(logp):.4g}")


def sentences(nudged: Mapping[str, Any], steps: int) -> list[str]:
    """What happened, in plain words."""
    before, after = (nudged[name] / math.log(2) for name in ("before", "after"))
    if not steps:
        return [f"The model needs {before:.2f} bits for a token of this window, on average."]
    many = "one step" if steps == 1 else f"{steps} steps"
    here = f"After {many} on this window: {before:.2f} → {after:.2f} bits per token."
    changes = [late - early for early, late in nudged["others"]]
    if not changes:
        return [here]
    easier = sum(change < 0 for change in changes)
    means = [sum(each[side] for each in nudged["others"]) / len(changes) / math.log(2) for side in (0, 1)]
    return [
        here,
        f"{len(changes)} windows it did not see: {easier} became easier, {len(changes) - easier} harder; "
        f"on average {means[0]:.2f} → {means[1]:.2f} bits per token.",
    ]
