"""Amounts side by side: sizes of a file, shares of outcomes, models on one text."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from ui.widgets.base import Value, packed, widget

Amount = tuple[str, float, str]
"""Name, length of the bar (1 is full), and what stands beside it."""


def amounts_view(value: Value | None = None, *, label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """Named bars. Value: `amounts_value`."""
    return widget("amounts", value, label=label, elem_id=elem_id, empty=empty)


def amounts_value(rows: Sequence[Amount], note: str = "", marked: Sequence[str] = ()) -> Value:
    """The value of an `amounts_view`; the bars named in `marked` stand out."""
    amounts = [
        {"name": name, "share": round(min(1.0, max(0.0, share)), 5), "label": label, "marked": name in marked}
        for name, share, label in rows
    ]
    return packed({"rows": amounts, "note": note})
