"""Many samples of one prompt at once: where they part, and what share each outcome has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from lab.outcomes import WAYS, Outcome, outcomes
from ui.forms import ConfigForm
from ui.widgets import Value, percent
from ui.widgets.amounts import amounts_value, amounts_view
from ui.widgets.samples import DRAWN, samples_value, samples_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

MOST = 500
BARS = 20


class SamplesPart:
    """The accordion. The settings of the form and the prompt are those of the page."""

    def __init__(
        self, workspace: Workspace, page: Page, model: gr.Dropdown, prompt: gr.Textbox, form: ConfigForm
    ) -> None:
        self._workspace, self._form = workspace, form
        self._model, self._prompt = model, prompt
        with gr.Accordion("Many samples of this prompt", open=False, elem_id="samples-part"):
            with gr.Row(elem_classes="line-of-buttons"):
                self._number = gr.Number(
                    20, precision=0, label="Samples", elem_id="samples-number", scale=0, min_width=120
                )
                self._by = gr.Dropdown(
                    list(WAYS), value="first word", label="Grouped by", elem_id="samples-by", scale=0, min_width=200
                )
            draw = gr.Button("Draw samples", elem_id="samples-draw", size="sm")
            bars = amounts_view(
                label="Outcomes and their shares",
                elem_id="samples-outcomes",
                empty="The same prompt, another coin each time: how often does it say what?",
            )
            view = samples_view(label="Samples", elem_id="samples-view")
            texts = gr.State(())
        inputs: set[Any] = {model, prompt, self._number, self._by, *form.components}
        draw.click(page.shown("completion")(self._draw), inputs, [bars, view, texts, page.notice])
        self._by.input(
            page.shown()(lambda by, texts: outcome_bars(outcomes(texts, by), len(texts)) if texts else gr.skip()),
            [self._by, texts],
            [bars, page.notice],
            show_progress="hidden",
        )

    def _draw(self, values: Mapping[Any, Any]) -> tuple[Value, Value, tuple[str, ...]]:
        number, by = values[self._number] or 0, values[self._by]
        if not values[self._model]:
            raise ConfigError("There is no model to sample from. Choose one.", "model")
        if not 1 <= number <= MOST:
            raise ConfigError(f"Between 1 and {MOST} samples can be drawn.")
        sampling = self._form.read(values)
        prompts = [values[self._prompt]] * int(number)
        made = self._workspace.inference.complete_many(values[self._model], prompts, sampling)
        texts = tuple(sample.text for sample in made)
        note = f"The first {DRAWN} of {len(made)} are shown; all are counted." if len(made) > DRAWN else ""
        if sampling.temperature == 0:
            note = "At temperature 0 all samples are the same. " + note
        return outcome_bars(outcomes(texts, by), len(texts)), samples_value(made, note), texts


def outcome_bars(found: list[Outcome], n: int) -> Value:
    """The outcomes as bars with their shares and intervals."""
    rows = [
        (
            outcome.name if outcome.name else "(nothing)",
            outcome.share,
            f"{percent(outcome.share)}, {outcome.times} of {n} ({100 * outcome.low:.0f}–{100 * outcome.high:.0f} %)",
        )
        for outcome in found[:BARS]
    ]
    rest = sum(outcome.times for outcome in found[BARS:])
    left = f" {len(found) - BARS} more outcomes came {rest} times together." if rest else ""
    return amounts_value(rows, f"n = {n}; in brackets the 95 % interval of each share.{left}")
