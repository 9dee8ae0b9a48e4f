"""Inside the network: its parameters and shapes, attention and logit lens on the prompt, one weight to turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from ui.parts.following import followed
from ui.parts.opening import while_open
from ui.widgets import Value, packed, widget
from ui.widgets.amounts import amounts_value, amounts_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

SHOWN = 8
"""Next tokens shown while a weight is turned."""


class InsidePart:
    """The accordion."""

    def __init__(self, workspace: Workspace, page: Page, model: gr.Dropdown, prompt: gr.Textbox) -> None:
        self._workspace, self._page = workspace, page
        with gr.Accordion("Inside the network", open=False, elem_id="inside-part") as part:
            with gr.Row(elem_classes="line-of-buttons"):
                about: dict[str, Any] = {"precision": 0, "scale": 0, "min_width": 90}
                layer = gr.Number(1, label="Layer", elem_id="inside-layer", minimum=1, **about)
                head = gr.Number(1, label="Head", elem_id="inside-head", minimum=1, **about)
            view = widget("inside", label="Inside the network", elem_id="inside-view", empty="Choose a model.")
            self._place_weight(part, model, prompt)
            self._place_sorter()
        look = page.shown()(self._look)
        inputs: list[Any] = [model, prompt, layer, head]
        changes = [each.change for each in (layer, head, model, prompt)]
        while_open(part, look, inputs, [view, page.notice], changes)

    def _place_weight(self, part: gr.Accordion, model: gr.Dropdown, prompt: gr.Textbox) -> None:
        """Turn one weight and watch the bars."""
        with gr.Accordion("Turn one weight", open=False, elem_id="turn-part") as weight_part:
            name = gr.Dropdown([], label="Weights", elem_id="turn-name")
            with gr.Row(elem_classes="line-of-buttons"):
                about: dict[str, Any] = {"precision": 0, "scale": 0, "min_width": 90}
                row = gr.Number(0, label="Row", elem_id="turn-row", **about)
                column = gr.Number(0, label="Column", elem_id="turn-column", **about)
                value = gr.Slider(-20, 20, value=0, step=0.1, label="Value instead", elem_id="turn-value", scale=1)
            bars = amounts_view(label="Next tokens with the turned weight", elem_id="turn-bars")
        shown, notice = self._page.shown, self._page.notice
        weight_part.expand(shown()(self._weights), [model, name], [name, notice], show_progress="hidden")
        place: list[Any] = [model, prompt, name, row, column, value]
        quiet: Any = {"show_progress": "hidden", "trigger_mode": "always_last"}
        gr.on(
            [value.change, name.change, row.change, column.change], shown()(self._turn), place, [bars, notice], **quiet
        )

    def _place_sorter(self) -> None:
        """The network that learns to sort."""
        with gr.Accordion("A network that learns to sort, whole", open=False, elem_id="sorter-part"):
            train = gr.Button("Train the sorter", size="sm", elem_id="sorter-train", scale=0, min_width=160)
            letters = gr.Textbox("CBABBC", label="Six letters of A, B and C", max_lines=1, elem_id="sorter-letters")
            view = amounts_view(
                label="The sorter",
                elem_id="sorter-view",
                empty="85,584 parameters: 11 positions, width 48, 3 heads, 3 blocks, 3 symbols. It learns in seconds.",
            )
        train.click(self._page.shown()(self._sort), letters, [view, self._page.notice], show_progress="hidden")

    def _look(self, model: str | None, prompt: str, layer: int | None, head: int | None) -> Value | None:
        if not model or not prompt:
            return None
        return packed(self._workspace.inference.inside(model, prompt, (layer or 1) - 1, (head or 1) - 1))

    def _weights(self, model: str | None, chosen: str | None) -> dict[str, Any]:
        weights = self._workspace.inference.weights(model) if model else []
        names = [name for name, _, _ in weights]
        choices = [(f"{name}, {rows} × {columns}", name) for name, rows, columns in weights]
        usual = next((name for name in reversed(names) if name.endswith("down_proj.weight")), next(iter(names), None))
        return gr.update(choices=choices, value=chosen if chosen in names else usual)

    def _turn(
        self, model: str | None, prompt: str, name: str | None, row: int | None, column: int | None, value: float
    ) -> Value | None:
        if not model or not name or not prompt:
            return None
        was, rows = self._workspace.inference.turn(model, prompt, name, row or 0, column or 0, value, SHOWN)
        bars = [(text, after, f"{100 * before:.2f} % → {100 * after:.2f} %") for text, before, after in rows]
        return amounts_value(bars, f"This weight is {was:.4f}; here it is {value:.1f} instead, for this look only.")

    def _sort(self, letters: str) -> Iterator[Value]:
        given = letters.strip().upper()
        if len(given) != 6 or set(given) - set("ABC"):
            raise ConfigError("Give six letters, each A, B or C.")
        work = followed(lambda watch: self._workspace.inference.sorter(given, watch))
        while True:
            try:
                done, of = next(work)
            except StopIteration as end:
                steps, answer = end.value
                break
            yield amounts_value([], f"Training: step {done} of {of} …" if of else "Starting …")
        bars = [(f"step {step}", right, f"loss {loss:.3f}, {100 * right:.0f} % sorted") for step, loss, right in steps]
        yield amounts_value(bars, f"{given} → {answer}. Bars: share of new rows of six letters sorted without a fault.")
