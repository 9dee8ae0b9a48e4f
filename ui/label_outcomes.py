"""What becomes of the votes: a data set to train on, files to take away, and judges beside the people."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.errors import ConfigError, DataError
from lab.labeling import ExportConfig
from lab.labeling.judges import RULES
from ui.forms import ConfigForm
from ui.people import owners_only
from ui.widgets.base import Value, note_view, packed, widget
from ui.widgets.labeling import label_files
from ui.words import count

if TYPE_CHECKING:
    from ui.page import Page

FORMATS = [
    ("Preference pairs (TRL)", "trl"),
    ("Good or bad, one by one (KTO)", "kto"),
    ("Answers written by hand", "sft"),
]
RULE_NAMES = {"rule:stories": "the small world’s rule for stories"}


class LabelOutcomes:
    """The parts of the page below the choice of a project."""

    def __init__(self, page: Page) -> None:
        self._page, self._workspace = page, page.workspace
        with gr.Accordion("Train on the votes", open=False, elem_id="labeling-train-part", elem_classes="owners"):
            self.format = gr.Dropdown(FORMATS, value="trl", label="As", elem_id="labeling-format", filterable=False)
            self.form = ConfigForm(ExportConfig, "labeling-export", title="Which votes")
            self.name = gr.Textbox(
                label="Name of the data set", placeholder="the project’s", max_lines=1, elem_id="labeling-name-set"
            )
            self.keep = gr.Button("Make it a data set", elem_id="labeling-keep")
            self.files = gr.Button("Give me files", elem_id="labeling-files")
            self.note = note_view(label="What was kept", elem_id="labeling-kept")
            self.links = widget("labelFiles", label="Files", elem_id="labeling-links")
        part = gr.Accordion("Let a judge vote too", open=False, elem_id="labeling-judge-part", elem_classes="owners")
        with part:
            self.judge = gr.Dropdown(
                [],
                label="Judge",
                info="It votes on what people have voted on, in both orders, and is shown beside them.",
                elem_id="labeling-judge",
            )
            self.ask = gr.Button("Let it vote", elem_id="labeling-ask-judge")
            self.said = note_view(label="How far the judge is", elem_id="labeling-judged")
        part.expand(self._judges, None, self.judge, show_progress="hidden")

    def connect(self, project: gr.Dropdown) -> None:
        """Connect the events, for the project chosen in `project`."""
        page = self._page
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        inputs: set[Any] = {project, self.format, self.name, *self.form.components}
        shown = page.shown("labeling-export")
        outputs = [self.note, self.links, page.notice]
        keep = owners_only(lambda values: self._keep(values, values[project]))
        files = owners_only(lambda values: self._files(values, values[project]))
        self.keep.click(shown(keep), inputs, outputs, **quiet)
        self.files.click(shown(files), inputs, outputs, **quiet)
        self.ask.click(page.shown()(self._judge), [project, self.judge], [self.said, page.notice], **quiet)
        project.change(lambda: (None, None, None), None, [self.note, self.links, self.said], **quiet)

    def _keep(self, values: Mapping[Component, Any], project: str | None) -> tuple[Value, None]:
        """Make the labels a data set."""
        found = self._workspace.labeling.get(_chosen(project))
        name = (values[self.name] or "").strip() or self._free(found.name)
        manifest = self._workspace.labeling.make_dataset(found, name, values[self.format], self.form.read(values))
        return packed(f"{manifest.sentence} They are the data set “{name}” now; choose it where you train."), None

    def _free(self, name: str) -> str:
        """A name for a data set, made from the project's, that no set has."""
        stem = (
            "".join(letter if letter.isalnum() or letter in " -_" else "-" for letter in name)[:56].strip(" -")
            or "votes"
        )
        taken = {info.name.lower() for info in self._workspace.datasets.list()}
        return next(each for each in (stem, *(f"{stem} {n}" for n in range(2, 10_000))) if each.lower() not in taken)

    def _files(self, values: Mapping[Component, Any], project: str | None) -> tuple[None, Value]:
        """Addresses of the labels as files, once it is known what is in them."""
        config, format, id = self.form.read(values), values[self.format], _chosen(project)
        with tempfile.TemporaryDirectory(prefix="nudge-labels-") as folder:
            manifest = self._workspace.labeling.export(id, Path(folder) / "labels.jsonl", format, config=config)
        return None, label_files(id, format, config.to_json(), manifest.sentence)

    def _judges(self) -> Any:
        rules = [(RULE_NAMES.get(name, name), name) for name in RULES]
        return gr.update(choices=[*self._page.reward_choices(), *self._page.model_choices(), *rules])

    @owners_only
    def _judge(self, project: str | None, judge: str | None) -> Iterator[tuple[Value]]:
        """Let a judge vote on one pair after another."""
        id, done = _chosen(project), 0
        if not judge:
            raise ConfigError("Choose a judge.")
        while self._workspace.labeling.judge(id, judge, limit=1):
            done += 1
            yield (packed(f"{count(done, 'pair')} judged …"),)
        yield (packed(f"{count(done, 'pair')} judged. What the votes say has the agreement." if done else NOTHING),)


NOTHING = "There is nothing to judge: a judge comes after a person, once for each pair."


def _chosen(project: str | None) -> str:
    if not project:
        raise DataError("Choose a project first.")
    return project
