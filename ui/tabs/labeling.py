"""Labeling: say which answer is better, see what the votes say, and train on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import DataError
from ui.data_view import problems_value, sentence
from ui.label_outcomes import LabelOutcomes
from ui.labeling_routes import about_project
from ui.new_project import NewProject
from ui.people import owners_only
from ui.tables import table
from ui.widgets import packed, widget
from ui.widgets.base import Value
from ui.widgets.labeling import stage_value, stage_view, votes_view

if TYPE_CHECKING:
    from lab.labeling import Project
    from lab.readers import ImportReport
    from lab.workspace import Workspace
    from ui.page import Page

EMPTY = (
    "Two answers will stand here side by side, without names. One key says which is better, and the next two are "
    "there. Make a project on the left; with “Try it” the base and the assistant answer questions about the small "
    "world."
)


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("Which answer is better? One key says it.")
    with page.columns():
        with page.goes_in():
            project = gr.Dropdown([], label="Project", elem_id="labeling-project")
            new = NewProject(page)
            outcomes = LabelOutcomes(page)
            with gr.Accordion("Delete this project", open=False, elem_id="labeling-delete-part", elem_classes="owners"):
                delete = gr.Button("Delete it with its votes", variant="stop", elem_id="labeling-delete")
        with page.comes_out():
            stage = stage_view(label="Voting", elem_id="labeling-stage", tab="labeling", elem_classes="scene")
            summary = widget("dataset", label="The file", elem_id="labeling-summary")
            problems = table("labeling-problems", "Rows that were not taken", page_size=8)
            votes = votes_view(label="What the votes say", elem_id="labeling-votes", elem_classes="scene")
    tab = LabelingTab(workspace, new, project, [stage, votes, summary, problems])
    quiet: dict[str, Any] = {"show_progress": "hidden"}
    place = gr.Textbox(visible=False)
    page.tabs["labeling"].select(
        tab.open, [place, project], tab.outputs, js="(_, project) => [nudge.place().detail, project]", **quiet
    )
    project.input(page.shown()(tab.show), project, [*tab.shows, page.notice], **quiet).then(
        None, project, None, js="(project) => nudge.remember(project || '')"
    )
    shown = page.shown("labeling")
    outputs = [*tab.outputs, page.notice]
    made = new.make.click(shown(owners_only(lambda values: tab.made(*new.create(values)))), new.inputs, outputs)
    tried = new.example.click(page.shown()(owners_only(lambda: tab.made(new.create_example()))), None, outputs)
    remember = "(project) => { nudge.remember(project || ''); nudge.toOutput('labeling') }"
    for event in (made, tried):
        event.success(None, project, None, js=remember)
    delete.click(page.shown()(tab.delete), project, [*tab.outputs, page.notice], **quiet)
    outcomes.connect(project)


class LabelingTab:
    """What the tab's events do."""

    def __init__(self, workspace: Workspace, new: NewProject, project: gr.Dropdown, shows: list[Any]) -> None:
        self._workspace = workspace
        self._new = new
        self.shows = shows
        """Stage, votes, and what was said of a file: what `show` gives values for."""
        self.outputs: list[Any] = [project, new.part, *new.choices, *shows]

    def open(self, place: str, chosen: str | None) -> tuple[Any, ...]:
        """The tab is opened: what there is now; the project of the address, the one chosen, or the newest."""
        return self._state([place, chosen])

    def made(self, project: Project, report: ImportReport | None = None) -> tuple[Any, ...]:
        """A project was made: it is the one at work, with what was said of its file."""
        return self._state([project.id], report)

    @owners_only
    def delete(self, chosen: str | None) -> tuple[Any, ...]:
        """Delete the project with its votes."""
        if not chosen:
            raise DataError("Choose a project to delete.")
        self._workspace.labeling.remove(chosen)
        return self._state([])

    def show(self, chosen: str | None, report: ImportReport | None = None) -> tuple[Value | None, ...]:
        """Stage and votes of a project, and the report of a file that was read just now."""
        if not chosen:
            return stage_value(None, EMPTY), None, None, None
        said = report.to_json() if report else None
        summary = packed({"title": sentence(said), "notes": said["notes"], "facts": []}) if said else None
        stage = stage_value(about_project(self._workspace.labeling.get(chosen)))
        return stage, packed({"project": chosen}), summary, problems_value(said)

    def _state(self, wanted: list[str | None], report: ImportReport | None = None) -> tuple[Any, ...]:
        projects = self._workspace.labeling.projects()
        ids = [project.id for project in projects]
        chosen = next((each for each in wanted if each in ids), ids[0] if ids else None)
        choices = [(project.name, project.id) for project in projects]
        part = gr.update(open=not projects)
        return gr.update(choices=choices, value=chosen), part, *self._new.fresh(), *self.show(chosen, report)
