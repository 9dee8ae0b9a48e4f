"""What may come next: the bars before and after the settings, the coin that picks, and the text one token at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.config import SamplingConfig
from lab.errors import ConfigError, LabError
from lab.next_token import NextToken, fall, stages
from lab.tokenizer import Tokenizer, load_tokenizer
from ui.forms import ConfigForm, heading
from ui.widgets import Value, packed, percent, widget

if TYPE_CHECKING:
    from lab.workspace import Workspace

BARS = 10
"""Next tokens shown as bars."""
SLICES = 60
"""Tokens drawn on the bar that the coin falls on; the rest is left blank."""
SLIDERS = {
    "temperature": (0, 2, 0.05),
    "top_k": (0, 100, 1),
    "top_p": (0.05, 1, 0.01),
    "min_p": (0, 0.5, 0.01),
}
"""The lowest and highest value of each slider, and its step."""


class NextTokenPart:
    """The bars, their sliders, and the buttons that step. `now` is a `NextToken` or None: what the bars show."""

    def __init__(self, workspace: Workspace, form: ConfigForm) -> None:
        self._form = form
        self._tokenizer = lru_cache(maxsize=4)(lambda model: load_tokenizer(workspace.models.resolve(model)))
        self.now = gr.State(None)
        self.model_shown = gr.State("")
        heading("What may come next")
        self.bars = widget(
            "nextToken", label="Most likely next tokens", elem_id="completion-bars", elem_classes="scene"
        )
        with gr.Row(elem_classes="line-of-buttons"):
            self.step = gr.Button("Take one token", size="sm", elem_id="completion-step", scale=0, min_width=140)
            self.rest = gr.Button("Go on to the end", size="sm", elem_id="completion-rest", scale=0, min_width=180)
            self.again = gr.Button("From the start", size="sm", elem_id="completion-again", scale=0, min_width=140)
        with gr.Accordion("Move the bars", open=False, elem_id="completion-sliders-part"):
            for name, (low, high, step) in SLIDERS.items():
                self._slider(name, low, high, step)
        settings: list[Any] = [form.fields[name] for name in (*SLIDERS, "seed")]
        gr.on(
            [field.change for field in settings],
            self._move,
            {self.now, self.model_shown, *form.components},
            self.bars,
            show_progress="hidden",
            trigger_mode="always_last",
        )

    def _slider(self, name: str, low: float, high: float, step: float) -> None:
        """A slider that is the same setting as the field of the form."""
        field: Any = self._form.fields[name]
        slider = gr.Slider(
            low, high, value=field.value, step=step, label=field.label, elem_id=f"completion-slide-{name}"
        )
        slider.input(None, slider, field, js="value => value", show_progress="hidden")
        within = f"value => Math.max({low}, Math.min({high}, value ?? {low}))"
        field.input(None, field, slider, js=within, show_progress="hidden")

    def _move(self, values: Mapping[Any, Any]) -> Any:
        """The bars under the settings as they are now: the model is not asked again."""
        now: NextToken | None = values[self.now]
        if now is None:
            return gr.skip()
        try:
            return self.drawn(now, self._form.read(values), values[self.model_shown])
        except ConfigError:  # a number is being typed; the field says so when it is used
            return gr.skip()

    def drawn(self, now: NextToken, sampling: SamplingConfig, model: str) -> Value:
        """The value of the widget."""
        return next_token_value(now, sampling, lambda id: self._text(now, model, id))

    def _text(self, now: NextToken, model: str, id: int) -> str:
        known = (now.texts or {}).get(id)
        if known is not None:
            return known
        try:
            tokenizer: Tokenizer = self._tokenizer(model)
            return tokenizer.token_text(id)
        except LabError:
            return f"token {id}"


def next_token_value(now: NextToken, sampling: SamplingConfig, text_of: Any) -> Value:
    """What the `nextToken` widget draws: bars before and after, tokens left after each step, the bar of the coin."""
    steps = stages(now.logprobs_V, sampling)
    before, after = steps[0].shares_V, steps[-1].shares_V
    order = now.order(max(BARS, SLICES))
    rows = [
        {"id": id, "text": text_of(id), "before": round(float(before[id]), 6), "after": round(float(after[id]), 6)}
        for id in order[:BARS]
    ]
    coin = now.coin(sampling.seed) if sampling.temperature > 0 else None
    chosen = None
    if coin is not None:
        fell = fall(after, coin)
        chosen = {"id": fell.id, "text": text_of(fell.id), "start": fell.start, "end": fell.end}
    ends = after.cumsum()
    drawn = sorted({id for id in order if after[id] > 0} | ({chosen["id"]} if chosen else set()))
    bar = [
        {"id": id, "text": text_of(id), "start": float(ends[id] - after[id]), "width": float(after[id])} for id in drawn
    ]
    rest = max(0.0, 1 - float(before[order[:BARS]].sum()))
    return packed(
        {
            "rows": rows,
            "steps": [[stage.name, stage.left] for stage in steps],
            "bar": bar,
            "coin": coin,
            "chosen": chosen,
            "note": f"To the model, the other {len(before) - len(rows):,} tokens share {percent(rest)}.",
        }
    )
