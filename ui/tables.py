"""Tables of our own: data in, cells as text. Columns sort by a click on their head, long tables come in pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.widgets.base import Value, packed, widget

if TYPE_CHECKING:
    import pandas

LONGEST = 400
"""Characters of a cell that are sent; the rest is cut off with a sign of it."""


def table(elem_id: str, label: str, page_size: int = 10) -> gr.HTML:
    """A table to place; its value comes from `table_value` or `frame_value`."""
    return widget("table", label=label, elem_id=elem_id, page_size=page_size)


def table_value(columns: Sequence[str], rows: Iterable[Sequence[Any]], note: str = "") -> Value:
    """What a table shows: names of the columns, rows of plain values, and a sentence under it."""
    return packed({"columns": list(columns), "rows": [[plain(cell) for cell in row] for row in rows], "note": note})


def frame_value(frame: pandas.DataFrame, note: str = "") -> Value:
    """A DataFrame as a table's value."""
    return table_value([str(name) for name in frame.columns], frame.itertuples(index=False, name=None), note)


def plain(cell: Any) -> str | int | float | None:
    """A cell as JSON holds it: numbers stay numbers, everything else becomes text; what is missing becomes None."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)) or str(cell) in ("NaT", "<NA>"):
        return None
    if hasattr(cell, "item"):
        cell = cell.item()
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, (int, float)) and math.isfinite(cell):
        return cell
    if isinstance(cell, (list, tuple)):
        return ", ".join(map(str, cell))
    if hasattr(cell, "strftime"):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    text = str(cell)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
