"""The strip on top of every page: the map of the story, with what this workspace has of each stop. It navigates too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.page import Page
from ui.words import count, percent

if TYPE_CHECKING:
    from lab.runs import Run
    from lab.workspace import Workspace

Note = Callable[["Workspace", list["Run"], str], str]
"""The word under a stop, from the workspace, its runs and the reference of the model in hand."""

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

    def stops(kind: dict[str, tuple[str, Note]]) -> list[dict[str, str]]:
        return [
            _stop(tab, name, note(workspace, runs, model)) for tab, (name, note) in kind.items() if tab in page.tabs
        ]

    return {
        "story": stops(STORY),
        "beside": stops(BESIDE),
        "lineage": _lineage(page, model),
        "active": [run.id for run in runs if run.status in ACTIVE],
        "notices": workspace.notices,
    }


def _stop(tab: str, name: str, note: str) -> dict[str, str]:
    state = "running" if note.endswith("%") else "empty" if note == "not yet" else "done"
    return {"tab": tab, "name": name, "note": note, "state": state}


def _pieces(workspace: Workspace, runs: list[Run], model: str) -> str:
    info = _info(workspace, model)
    return f"{info.vocab_size:,} pieces" if info is not None and info.vocab_size else "no model yet"


def _size(workspace: Workspace, runs: list[Run], model: str) -> str:
    line = _ancestors(workspace, model) or _ancestors(workspace, "bundled:base")
    return count(line[0].parameters, "parameter") if line else "not yet"


def _training(*algorithms: str) -> Note:
    """How far the training by one of these algorithms is, or how many models it has left."""

    def note(workspace: Workspace, runs: list[Run], model: str) -> str:
        mine = [run for run in runs if run.algorithm in algorithms]
        active = next((run for run in mine if run.status in ACTIVE), None)
        if active is not None:
            busy = active.status in ("running", "starting")
            return percent(active.step, active.total_steps) if busy else active.status
        kept = sum(run.status in ("finished", "stopped") for run in mine)
        return _some(kept, "model")

    return note


def _some(number: int, thing: str) -> str:
    return count(number, thing) if number else "not yet"


def _says(words: str) -> Note:
    return lambda workspace, runs, model: words


def _votes(workspace: Workspace, runs: list[Run], model: str) -> str:
    return _some(sum(len(project.state.vote_on) for project in workspace.labeling.projects()), "vote")


def _runs(workspace: Workspace, runs: list[Run], model: str) -> str:
    return _some(len(runs), "run")


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


STORY: dict[str, tuple[str, Note]] = {
    "data": ("Text", _says("")),
    "tokens": ("Tokens", _pieces),
    "pretrain": ("Pretrain", _training("pretrain")),
    "completion": ("Base", _size),
    "sft": ("SFT", _training("sft")),
    "labeling": ("Preferences", _votes),
    "reward_model": ("Reward", _training("reward_model")),
    "rl": ("RL", _training("dpo", "reinforce", "ppo", "grpo", "self_improve")),
}
"""The stops of the story: name and word under it. A stop is shown once its tab exists."""
BESIDE: dict[str, tuple[str, Note]] = {
    "compare": ("Compare", _says("")),
    "arena": ("Arena", _says("")),
    "experiments": ("Experiments", _says("")),
    "history": ("History", _runs),
    "models": ("Models", _says("")),
}
"""Tabs beside the story."""
