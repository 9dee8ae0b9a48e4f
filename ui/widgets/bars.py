"""Bars of what may come next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.widgets.base import Value, packed, widget


def bars_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """The most likely next tokens as bars. Value: `bars_value`."""
    return widget("bars", value, label=label, elem_id=elem_id, **options)


def bars_value(top: Sequence[tuple[int, str, float]], shares: Sequence[float] | None = None, note: str = "") -> Value:
    """The value of a `bars_view`.

    Args:
        top: (id, text, log-probability), the most likely first.
        shares: for each of `top` its probability after temperature and filters, 0 for one that was dropped; a mark on
            the bar then shows the probability before. None shows the model's own.
        note: a sentence under the bars.
    """
    rows = []
    for index, (id, text, logprob) in enumerate(top):
        before = math.exp(logprob)
        share = before if shares is None else shares[index]
        row = {"id": id, "text": text, "share": round(share, 5), "label": percent(share)}
        rows.append(row if shares is None else row | {"before": round(before, 5)})
    return packed({"rows": rows, "note": note})


def percent(share: float) -> str:
    """A probability for people: 100 %, 37.2 %, 0.41 %, < 0.01 %; `cut` for one that cannot happen."""
    if share <= 0:
        return "cut"
    value = 100 * share
    if value >= 99.95:
        return "100 %"
    return f"{value:.1f} %" if value >= 10 else f"{value:.2f} %" if value >= 0.01 else "< 0.01 %"
