"""How surprising a text is: bits per token, under one model or several, and under checkpoints of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from ui.widgets import Value
from ui.widgets.surprise import surprise_value, surprise_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

TEXT = "Once there was a fox who lived near a river. The fox was happy. Zebras quantify marmalade."
MOST_MODELS = 6
MOST_CHARACTERS = 100_000


class SurprisePart:
    """The accordion."""

    def __init__(self, workspace: Workspace, page: Page, model: gr.Dropdown) -> None:
        self._workspace, self._page = workspace, page
        with gr.Accordion("How surprising is a text?", open=False, elem_id="surprise-part"):
            text = gr.Textbox(TEXT, label="Text", lines=3, max_lines=12, elem_id="surprise-text")
            more = gr.Dropdown(
                [],
                value=[],
                multiselect=True,
                label="Beside other models or checkpoints",
                elem_id="surprise-more",
            )
            score = gr.Button("Score the text", elem_id="surprise-score", size="sm")
            view = surprise_view(
                label="Bits per token",
                elem_id="surprise-view",
                empty="Every token of the text gets the bits that the model needs to be told it.",
            )
        score.click(page.shown()(self._score), [model, text, more], [view, page.notice], show_progress="minimal")
        page.on_open("completion", self._refresh, more, more)

    def _refresh(self, chosen: list[str]) -> dict[str, Any]:
        choices = self._choices()
        known = {reference for _, reference in choices}
        return gr.update(choices=choices, value=[reference for reference in chosen or [] if reference in known])

    def _choices(self) -> list[tuple[str, str]]:
        """Models at hand, and the checkpoints of runs."""
        found = self._page.model_choices()
        for run in self._workspace.runs.list():
            name = run.name or run.id
            found += [(f"{name}, step {step}", f"run:{run.id}@{step}") for step in run.checkpoints()]
        return found

    def _score(self, model: str | None, text: str, more: list[str] | None) -> Value:
        references = list(dict.fromkeys([*([model] if model else []), *(more or [])]))
        if not references or not text:
            raise ConfigError("There is nothing to score: give a text and choose a model.")
        if len(references) > MOST_MODELS or len(text) > MOST_CHARACTERS:
            raise ConfigError(f"This page takes {MOST_MODELS} models and {MOST_CHARACTERS:,} characters at most.")
        names = {reference: name for name, reference in self._choices()}
        scores = [
            (
                names.get(reference, reference),
                self._page.colour(reference),
                self._workspace.inference.score(reference, text),
            )
            for reference in references
        ]
        return surprise_value(scores)
