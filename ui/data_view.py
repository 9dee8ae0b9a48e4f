"""What a data set holds and what a model would see of it: shown before anything runs.

Rows taken and not taken, the first conversations as chat and as tokens with what is learned, lengths and what is cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gradio as gr
from gradio.components import Component

from lab.tokenizer import load_tokenizer
from ui.tables import table, table_value
from ui.widgets import chat_view, conversations_value, encoded_tokens, token_value, token_view
from ui.widgets.base import Value, packed, widget

if TYPE_CHECKING:
    from lab.inspection import Inspection

CHATS = 3
"""Conversations shown as chat."""
NAMES = {"conversations": "conversation", "preferences": "pair", "problems": "problem", "documents": "document"}


class DataView:
    """The components, placed where the view is made; `values` gives what they show."""

    def __init__(self, elem_id: str) -> None:
        with gr.Column(elem_classes=["scene"]):
            self.summary = widget("dataset", label="The data", elem_id=f"{elem_id}-summary")
            self.problems = table(f"{elem_id}-problems", "Rows that were not taken", page_size=8)
        with gr.Column(elem_classes=["scene"]):
            self.chats = chat_view(label="The first conversations", elem_id=f"{elem_id}-chats", empty="")
        with gr.Column(elem_classes=["scene"]):
            self.tokens = token_view(label="The first conversation as tokens", elem_id=f"{elem_id}-tokens", empty="")
        with gr.Column(elem_classes=["scene"]):
            self.lengths = widget("lengths", label="Lengths in tokens", elem_id=f"{elem_id}-lengths")

    @property
    def outputs(self) -> list[Component]:
        """The components that `values` and `refused` give values for."""
        return [self.summary, self.problems, self.chats, self.tokens, self.lengths]

    def values(
        self, name: str, kind: str, report: dict[str, Any] | None, found: Inspection, model_folder: Path
    ) -> tuple[Any, ...]:
        """What is shown of a set: what was said of its file (None for a built-in one) and what the model sees."""
        chats = [example.messages for example in found.examples[:CHATS] if example.messages]
        return (
            summary_value(name, kind, report, found),
            problems_value(report),
            conversations_value(chats) if chats else None,
            tokens_value(found, model_folder),
            lengths_value(found),
        )

    def refused(self, report: dict[str, Any]) -> tuple[Any, ...]:
        """What is shown of a file of which no row could be taken."""
        summary = packed({"title": sentence(report), "notes": report["notes"], "facts": []})
        return summary, problems_value(report), None, None, None


def looking_value(rows: int) -> Value:
    """What is shown while a set is being looked at."""
    return packed({"title": f"Looking at {rows:,} rows …", "facts": [], "notes": []})


def summary_value(name: str, kind: str, report: dict[str, Any] | None, found: Inspection) -> Value:
    """The sentences about a set, and its figures."""
    facts = [
        ["Tokens", f"{found.tokens:,}" if found.examined == found.rows else f"about {_scaled(found):,}"],
        ["of which learned", f"{found.loss_share:.0%}"],
        ["Longest", f"{max(found.lengths):,} tokens" if found.lengths else "–"],
    ]
    title = sentence(report) if report else f"{found.rows:,} {NAMES.get(kind, 'row')}{'' if found.rows == 1 else 's'}."
    notes = [*(report["notes"] if report else []), *found.notices]
    words = {"notes": notes, "warnings": found.warnings, "expectation": found.expectation}
    return packed({"title": title, "facts": facts, **words})


def _scaled(found: Inspection) -> int:
    """Tokens of the whole set, from the rows that were looked at, to two figures."""
    whole = found.tokens * found.rows / max(1, found.examined)
    return int(float(f"{whole:.2g}"))


def sentence(report: dict[str, Any]) -> str:
    """How many rows were taken and how many were not."""
    taken = f"{report['rows']:,} {NAMES.get(report['kind'], 'row')}{'' if report['rows'] == 1 else 's'}"
    if report["rows"] == report["rows_taken"] == report["total"]:
        return f"{taken}: every row of the file was taken."
    text = f"{taken} from {report['rows_taken']:,} of {report['total']:,} rows."
    if report["fixed_total"]:
        text += f" {report['fixed_total']:,} were put right."
    if report["problems_total"]:
        text += f" {report['problems_total']:,} not taken."
    return text


def problems_value(report: dict[str, Any] | None) -> Value:
    """Every row that was not taken: its number, the reason, and what to do."""
    problems = report["problems"] if report else []
    rows = [[problem["row"], problem["reason"], problem["fix"]] for problem in problems]
    more = report["problems_total"] - len(rows) if report else 0
    note = f"{more:,} more of them are in the file problems.jsonl of the set." if more else ""
    return table_value(["Row", "Not taken, because", "What to do"], rows, note)


def tokens_value(found: Inspection, model_folder: Path) -> Value | None:
    """The first conversation as tokens, with those that are learned marked."""
    if not found.examples:
        return None
    example = found.examples[0]
    tokens = encoded_tokens(load_tokenizer(model_folder), cast("Any", example))
    cut = f" What comes after token {example.kept} is cut off." if example.kept < len(example.ids) else ""
    note = f"The first conversation. Training learns to write the underlined tokens; the others are only read.{cut}"
    return token_value(tokens[: example.kept], example.loss_mask[: example.kept], note)


def lengths_value(found: Inspection) -> Value | None:
    """The histogram of lengths, and the share that would be cut, in words."""
    bins = found.histogram()
    if not bins:
        return None
    some = "" if found.examined == found.rows else f", looking at {found.examined:,} of {found.rows:,} rows"
    cut = f"{found.share_cut:.1%} ({found.cut:,} of {found.examined:,})" if found.cut else "None of them"
    words = f"{cut} would be cut at {found.max_length:,} tokens{some}."
    return packed({"bins": bins, "limit": found.max_length, "words": words})
