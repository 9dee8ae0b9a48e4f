"""The strip on top of every page: the map of the story, with what this workspace has of each stop. It navigates too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.page import Page
from ui.words import count, percent

if TYPE_CHECKING:
    from lab.runs import Run
    from lab.workspace import Workspace

STORY = {"tokens": "Tokens", "completion": "Base", "sft": "SFT"}
"""The stops of the story that have a tab, in its order; a stop is shown once its tab exists."""
BESIDE = {"compare": "Compare", "history": "History"}
"""Tabs beside the story."""
ACTIVE = {"queued", "starting", "running", "paused"}


def build(page: Page) -> None:
    """Place the strip; the browser asks for its contents every two seconds while the page is looked at."""

    def story(model: str) -> dict[str, Any]:
        return contents(page, model if isinstance(model, str) else "")

    strip = gr.HTML(
        value="bundled:base",
        html_template='<nav class="strip" aria-label="The story"></nav>',
        js_on_load="nudge.strip({element, props, watch, server})",
        server_functions=[story],
        apply_default_css=False,
        elem_id="strip",
    )
    page.model.change(lambda model: model, page.model, strip, show_progress="hidden")


def contents(page: Page, model: str) -> dict[str, Any]:
    """What the strip shows: its stops with a word on each, and the lineage of the model in hand."""
    workspace = page.workspace
    runs = workspace.runs.list()
    notes = {
        "tokens": _pieces(workspace, model),
        "completion": _size(workspace, model),
        "sft": _training(runs, "sft"),
        "compare": "side by side",
        "history": count(len(runs), "run"),
    }
    return {
        "story": [_stop(page, tab, name, notes) for tab, name in STORY.items() if tab in page.tabs],
        "beside": [_stop(page, tab, name, notes) for tab, name in BESIDE.items() if tab in page.tabs],
        "lineage": _lineage(page, model),
        "active": [run.id for run in runs if run.status in ACTIVE],
        "notices": workspace.notices,
    }


def _stop(page: Page, tab: str, name: str, notes: dict[str, str]) -> dict[str, str]:
    state = "running" if notes[tab].endswith("%") else "empty" if notes[tab] in ("not yet", "no runs yet") else "done"
    return {"tab": tab, "name": name, "note": notes[tab], "state": state}


def _pieces(workspace: Workspace, model: str) -> str:
    info = _info(workspace, model)
    return f"{info.vocab_size:,} pieces" if info is not None and info.vocab_size else "no model yet"


def _size(workspace: Workspace, model: str) -> str:
    line = _ancestors(workspace, model) or _ancestors(workspace, "bundled:base")
    return count(line[0].parameters, "parameter") if line else "not yet"


def _training(runs: list[Run], algorithm: str) -> str:
    runs = [run for run in runs if run.algorithm == algorithm]
    active = next((run for run in runs if run.status in ACTIVE), None)
    if active is not None:
        return percent(active.step, active.total_steps) if active.status in ("running", "starting") else active.status
    kept = sum(run.status in ("finished", "stopped") for run in runs)
    return count(kept, "model") if kept else "not yet"


def _lineage(page: Page, model: str) -> list[dict[str, Any]]:
    line = _ancestors(page.workspace, model)
    return [{"name": info.name, "reference": info.reference, "colour": page.colour(info.reference)} for info in line]


def _ancestors(workspace: Workspace, model: str) -> list[Any]:
    from lab.errors import ModelError

    try:
        return workspace.models.lineage(model)
    except ModelError:  # the model in hand was removed: the strip says so by showing none
        return []


def _info(workspace: Workspace, model: str) -> Any:
    line = _ancestors(workspace, model) or _ancestors(workspace, "bundled:base")
    return line[-1] if line else None
