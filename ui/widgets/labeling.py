"""The stage on which one votes, what the votes say, and the labels as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from ui.widgets.base import Value, packed, widget


def stage_view(value: Value | None = None, *, label: str, elem_id: str, tab: str, **options: Any) -> gr.HTML:
    """A prompt and nameless answers to vote on. Value: `stage_value`. With `arena=True` there is a line to ask on."""
    return widget("stage", value, label=label, elem_id=elem_id, tab=tab, **options)


def stage_value(project: Mapping[str, Any] | None, empty: str = "", models: Sequence[str] = ()) -> Value:
    """What a stage shows: `about_project` of a project, or why there is none; in the arena also who may answer."""
    return packed({"project": project, "empty": empty, "models": list(models)})


def votes_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """What the votes of a project say, kept up to date by itself. Value: `packed({"project": id})`, or None."""
    return widget("votes", value, label=label, elem_id=elem_id, **options)


def label_files(project: str, format: str, filters: Mapping[str, Any], sentence: str) -> Value:
    """Addresses of the labels as files, and what is in them. For `widget("labelFiles", …)`."""
    asked = {"project": project, "format": format} | {key: _word(value) for key, value in filters.items()}
    wanted = [
        *((suffix, {"suffix": suffix}) for suffix in ("jsonl", "parquet", "csv")),
        ("manifest", {"manifest": "yes"}),
    ]
    links = [(name, f"/nudge/labeling/export?{urlencode(asked | more)}") for name, more in wanted]
    return packed({"links": links, "sentence": sentence})


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
