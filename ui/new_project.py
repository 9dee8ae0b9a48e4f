"""A new labeling project: prompts for models to answer, or pairs that somebody has already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.comparison import prompts_of
from lab.config import SamplingConfig
from lab.errors import ConfigError, DataError
from lab.labeling import LabelingConfig
from ui.forms import ConfigForm
from ui.uploads import builtin_title

if TYPE_CHECKING:
    from lab.labeling import Project
    from lab.readers import ImportReport
    from ui.page import Page

TYPED, SET, FILE = "Prompts I type", "A data set’s prompts", "Pairs in a file"
PROMPTS = "Who are you?\nTell me a short story about a fox.\nWhat is 7 plus 5?"
EXAMPLE = ("bundled:base", "bundled:sft")
"""The models of the example: before and after fine-tuning."""
EXAMPLE_PROMPTS = 24
ANSWER = SamplingConfig(temperature=0.8, max_new_tokens=80)


class NewProject:
    """The part of the page that makes a project."""

    def __init__(self, page: Page) -> None:
        self._page, self._workspace = page, page.workspace
        with gr.Accordion("A new project", open=False, elem_id="labeling-new", elem_classes="owners") as self.part:
            self.example = gr.Button("Try it: base against assistant", elem_id="labeling-example")
            self.name = gr.Textbox(
                label="Name", placeholder="made from the models", max_lines=1, elem_id="labeling-name"
            )
            self.source = gr.Radio([TYPED, SET, FILE], value=TYPED, label="What is compared", elem_id="labeling-source")
            with gr.Column(elem_id="labeling-answering") as answering:
                self.prompts = gr.Textbox(
                    PROMPTS,
                    label="Prompts",
                    info="One on each line.",
                    lines=4,
                    max_lines=12,
                    elem_id="labeling-prompts",
                )
                with gr.Column(visible=False) as from_set:
                    self.dataset = gr.Dropdown([], label="Data set", elem_id="labeling-dataset")
                    self.limit = gr.Number(200, label="Prompts from it", precision=0, elem_id="labeling-limit")
                self.models = gr.Dropdown(
                    [],
                    multiselect=True,
                    label="Models",
                    info="Two or more; or one, to compare its own answers.",
                    elem_id="labeling-models",
                )
                self.sampling = ConfigForm(
                    SamplingConfig, "labeling-sampling", main=("temperature", "max_new_tokens"), title="How they answer"
                )
            self.file = gr.File(label="A file of pairs", visible=False, height=84, elem_id="labeling-pairs")
            self.form = ConfigForm(LabelingConfig, "labeling", main=("instructions",), title="How pairs are shown")
            self.make = gr.Button("Make the project", variant="primary", elem_id="labeling-make")
        self.source.change(
            lambda source: [
                gr.update(visible=on) for on in (source == TYPED, source == SET, source != FILE, source == FILE)
            ],
            self.source,
            [self.prompts, from_set, answering, self.file],
            show_progress="hidden",
        )

    @property
    def choices(self) -> list[Component]:
        """What has other choices whenever the tab is opened; see `fresh`."""
        return [self.models, self.dataset]

    @property
    def inputs(self) -> set[Any]:
        """All that `create` reads."""
        fields = (self.name, self.source, self.prompts, self.dataset, self.limit, self.models, self.file)
        return {*fields, *self.sampling.components, *self.form.components}

    def fresh(self) -> tuple[Any, Any]:
        """The models and sets there are now."""
        models = self._page.model_choices()
        known = [reference for _, reference in models]
        sets = self._workspace.datasets
        own = [(info.name, info.name) for info in sets.list() if info.kind == "conversations"]
        built_in = [(builtin_title(name), name) for name in sets.builtin() if sets.info(name).kind == "conversations"]
        return (
            gr.update(choices=models, value=[each for each in EXAMPLE if each in known]),
            gr.update(choices=[*own, *built_in], value="world:conversations"),
        )

    def create(self, values: Mapping[Component, Any]) -> tuple[Project, ImportReport | None]:
        """The project that the form describes, and what was said of the file when its pairs come from one."""
        config = self.form.read(values)
        source = values[self.source]
        if source == FILE:
            return self._of_file(values, config)
        models = list(values[self.models] or [])
        prompts = prompts_of(values[self.prompts]) if source == TYPED else values[self.dataset] or ""
        if not models:
            raise ConfigError("Choose who answers: two models or more, or one to compare its own answers.", "models")
        if not prompts:
            raise ConfigError("Write at least one prompt.", "prompts" if source == TYPED else "dataset")
        project = self._workspace.labeling.create(
            self._name(values, self._names(models)),
            prompts=prompts,
            models=models,
            sampling=self.sampling.read(values),
            config=config,
            limit=int(values[self.limit] or 200),
        )
        return project, None

    def create_example(self) -> Project:
        """A project that needs no choices: the base and the assistant answer questions about the small world."""
        return self._workspace.labeling.create(
            self._free("base against assistant"),
            prompts="world:conversations",
            models=EXAMPLE,
            sampling=ANSWER,
            limit=EXAMPLE_PROMPTS,
        )

    def _of_file(self, values: Mapping[Component, Any], config: LabelingConfig) -> tuple[Project, ImportReport]:
        if not values[self.file]:
            raise ConfigError("Choose a file of pairs.", "pairs")
        path = Path(values[self.file])
        labeling = self._workspace.labeling
        project = labeling.create(self._name(values, path.stem), config=config)
        try:
            return project, labeling.add_pairs(project, path)
        except DataError:
            labeling.remove(project)
            raise

    def _names(self, models: list[str]) -> str:
        names = {reference: name for name, reference in self._page.model_choices()}
        return " against ".join(names.get(each, each) for each in models)

    def _name(self, values: Mapping[Component, Any], otherwise: str) -> str:
        """The name that was given, or one that is made and free."""
        return (values[self.name] or "").strip() or self._free(otherwise)

    def _free(self, name: str) -> str:
        taken = {project.name for project in self._workspace.labeling.projects()}
        return next(each for each in (name, *(f"{name} {number}" for number in range(2, 10_000))) if each not in taken)
