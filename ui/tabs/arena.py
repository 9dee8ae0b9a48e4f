"""Arena: ask anything, vote on two nameless answers, see who wrote them, and who is ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.labeling_routes import about_project
from ui.widgets import packed
from ui.widgets.base import Value
from ui.widgets.labeling import stage_value, stage_view, votes_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("Ask anything. Two answer. Which is better?", "The names come after the vote.")
    with page.columns():
        with page.goes_in():
            models = gr.Dropdown(
                [],
                multiselect=True,
                label="Who may answer",
                info="Two of them are drawn by chance each time.",
                elem_id="arena-models",
            )
        with page.comes_out():
            contest = stage_view(label="Arena", elem_id="arena-stage", tab="arena", elem_classes="scene", arena=True)
            votes = votes_view(label="Leaderboard", elem_id="arena-votes", elem_classes="scene")

    def open_(chosen: list[str]) -> tuple[Any, Value, Value]:
        """The models there are now (all of them, unless some were chosen), and the arena as it stands."""
        choices = page.model_choices()
        known = [reference for _, reference in choices]
        wanted = [reference for reference in chosen if reference in known] or known
        project = packed({"project": workspace.labeling.arena().id})
        return gr.update(choices=choices, value=wanted), stage(wanted), project

    def stage(chosen: list[str]) -> Value:
        return stage_value(about_project(workspace.labeling.arena()), models=chosen)

    quiet: dict[str, Any] = {"show_progress": "hidden"}
    page.on_open("arena", open_, models, [models, contest, votes])
    models.input(stage, models, contest, **quiet)
