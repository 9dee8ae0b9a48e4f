"""How the objects of the door draw themselves in a notebook: pure functions from plain values to HTML.

Everything that comes from a file, a model or a person is escaped. A notebook calls `_repr_html_` of the last value of a
cell; the objects call these. Curves are plotly figures (`figure`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects

MARK = "background:rgba(230,159,0,{:.2f})"
"""A written token is tinted the more, the less probable it was."""


def table(rows: Iterable[Sequence[Any]], head: Sequence[str]) -> str:
    """A plain table."""
    titles = "".join(f"<th style='text-align:left'>{escape(title)}</th>" for title in head)
    lines = (
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def written(text_and_logprob: Iterable[tuple[str, float]], note: str) -> str:
    """A completion: each token tinted by how improbable it was, with its probability as a tooltip."""
    spans = "".join(
        f"<span title='{math.exp(logprob):.1%}' style='{MARK.format(0.5 * (1 - math.exp(logprob)))}'>"
        f"{escape(text)}</span>"
        for text, logprob in text_and_logprob
    )
    return f"<div style='white-space:pre-wrap'>{spans}</div><small>{escape(note)}</small>"


def report(sentence: str, problems: Iterable[tuple[int, str, str]], shown: int = 20) -> str:
    """An import report: the sentence, and the rows that were not taken."""
    rows = list(problems)
    if not rows:
        return f"<p>{escape(sentence)}</p>"
    more = f"<p>… and {len(rows) - shown:,} more.</p>" if len(rows) > shown else ""
    return f"<p>{escape(sentence)}</p>{table(rows[:shown], ('row', 'reason', 'fix'))}{more}"


def run(id: str, facts: Mapping[str, Any], done: float, trouble: str) -> str:
    """A run: its state as a bar, its facts, and what went wrong if something did."""
    bar = f"<progress max='1' value='{done:.3f}' style='width:20em'></progress> {done:.0%}"
    wrong = f"<p>{escape(trouble)}</p>" if trouble else ""
    return f"<p><b>{escape(id)}</b> {bar}</p>{table(facts.items(), ('', ''))}{wrong}"


def figure(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> plotly.graph_objects.Figure:
    """Curves (name → steps and values) as a plotly figure. Values that are not finite are marked on the axis."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for name, (steps, values) in curves.items():
        drawn.add_scatter(x=list(steps), y=list(values), name=name, mode="lines")
        lost = [step for step, value in zip(steps, values) if not math.isfinite(value)]
        if lost:
            drawn.add_scatter(
                x=lost, y=[0] * len(lost), name=f"{name}: not a number", mode="markers", marker_symbol="x"
            )
    drawn.update_layout(template="simple_white", xaxis_title="step", height=360, margin={"t": 20})
    return drawn
