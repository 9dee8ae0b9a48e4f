"""Completion: a model writes on from a prompt, token by token, and every token could have been another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.config import SamplingConfig
from lab.errors import ConfigError
from ui.drafts import WRITING, Draft, write
from ui.forms import ConfigForm, heading
from ui.widgets import Value, bars_value, bars_view, note_view, packed, percent, stream_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

PROMPT = "Once there was a"
BARS = 10
"""Next tokens shown as bars."""

_RAW = (
    "Why it rambles: a base model has only learned which token comes next in documents. It is not asked anything; "
    "it goes on as a document would, past every point where a person would stop."
)
_TUNED = (
    "This model was tuned to answer in chats. Here it gets the prompt as raw text, without its chat template, "
    "so it goes on like a document. Compare asks it properly."
)


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    Completion(workspace, page)


class Completion:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace = workspace
        self._page = page
        page.title("A base model continues text.", "Click any token it wrote to see what else it could have been.")
        with page.columns():
            with page.goes_in():
                self._place_inputs()
            with page.comes_out():
                self._place_outputs()
        self._connect()

    def _place_inputs(self) -> None:
        choices = self._page.model_choices()
        value = next((reference for _, reference in choices), None)
        self.prompt = gr.Textbox(PROMPT, label="Prompt", lines=4, max_lines=14, elem_id="completion-prompt")
        self.model = gr.Dropdown(choices, value=value, label="Model", elem_id="completion-model")
        self.form = ConfigForm(SamplingConfig, "completion", main=("temperature", "max_new_tokens"))
        with gr.Row():
            self.complete = gr.Button("Complete", variant="primary", elem_id="completion-complete")
            self.stop = gr.Button("Stop", elem_id="completion-stop", interactive=False)
        self.another = gr.Button("Another, with the next seed", elem_id="completion-another")
        self.draft = gr.State(Draft())

    def _place_outputs(self) -> None:
        self.text = stream_view(
            label="Completion",
            elem_id="completion-text",
            elem_classes="scene",
            choosable=True,
            empty="What the model writes will stand here.",
        )
        self.why = note_view(packed(_RAW), label="About this text", elem_id="completion-why")
        heading("What may come right after the prompt")
        self.bars = bars_view(label="Most likely next tokens", elem_id="completion-bars", elem_classes="scene")

    def _connect(self) -> None:
        shown, tab = self._page.shown, self._page.tabs["completion"]
        write_on = shown("completion")(self._write)
        self._then_write(gr.on([self.complete.click, self.prompt.submit], None), write_on)
        seed = self.form.fields["seed"]
        self._then_write(self.another.click(lambda now: (now or 0) + 1, seed, seed, show_progress="hidden"), write_on)
        self._then_write(
            tab.select(self._refresh, self.model, self.model, show_progress="hidden"), shown()(self._first)
        )
        choose = self.text.choose(shown("completion")(self._choose), self._inputs, self._outputs, **WRITING)
        choose.then(self._buttons, self.draft, [self.complete, self.stop], queue=False)
        self.stop.click(lambda draft: draft.stop(), self.draft, None, queue=False)
        gr.on(
            [self.prompt.change, self.model.change, tab.select],
            shown()(self._look),
            [self.prompt, self.model],
            [self.bars, self.why, self._page.notice],
            show_progress="hidden",
            trigger_mode="always_last",
        )
        self._page.prompt.change(lambda prompt: prompt or gr.skip(), self._page.prompt, self.prompt)

    def _then_write(self, event: Any, callback: Any) -> None:
        """After `event`, write with `callback`; Stop can be pressed meanwhile."""
        buttons = [self.complete, self.stop]
        busy = event.then(
            lambda: (gr.update(interactive=False), gr.update(interactive=True)), None, buttons, queue=False
        )
        busy.then(callback, self._inputs, self._outputs, **WRITING).then(
            self._buttons, self.draft, buttons, queue=False
        )

    @property
    def _inputs(self) -> set[Any]:
        return {self.prompt, self.model, self.draft, *self.form.components}

    @property
    def _outputs(self) -> list[Any]:
        return [self.text, self._page.notice]

    # --- callbacks -------------------------------------------------------------------------------------------------

    def _refresh(self, chosen: str | None) -> dict[str, Any]:
        """The models there are now; what is chosen stays."""
        choices = self._page.model_choices()
        references = [reference for _, reference in choices]
        return gr.update(choices=choices, value=chosen if chosen in references else next(iter(references), None))

    def _buttons(self, draft: Draft) -> tuple[dict[str, Any], dict[str, Any]]:
        """Complete and Stop, by whether something is being written."""
        return gr.update(interactive=not draft.writing), gr.update(interactive=draft.writing)

    def _first(self, values: Mapping[Any, Any]) -> Iterator[Value | None]:
        """A page that has nothing yet gets its first text."""
        if not values[self.draft].key and values[self.model]:
            yield from self._write(values)

    def _choose(self, values: Mapping[Any, Any], event: gr.EventData) -> Iterator[Value | None]:
        """Take another token at one place, and go on from there."""
        draft: Draft = values[self.draft]
        if event.key == draft.key:
            kept = draft.with_choice(int(event.position), int(event.id))
            yield from self._write({**values, self.prompt: draft.prompt, self.model: draft.model}, kept)

    def _write(self, values: Mapping[Any, Any], kept: list[Any] | None = None) -> Iterator[Value | None]:
        """Write on from the prompt (and the kept tokens)."""
        if not values[self.model]:
            raise ConfigError("There is no model to write with. Choose one here.", "model")
        sampling = self.form.read(values)
        inference = self._workspace.inference
        yield from write(values[self.draft], inference, values[self.model], values[self.prompt], sampling, kept)

    def _look(self, prompt: str, model: str | None) -> tuple[Value, Value]:
        """What may come next, and what to say about the text."""
        if not model:
            return bars_value([], note="No model is chosen."), packed(_RAW)
        info = self._workspace.models.info(model)
        top = self._workspace.inference.next_token(model, prompt, top=BARS)
        return bars_value(top, note=rest_of(top, info.vocab_size)), packed(_TUNED if info.is_chat else _RAW)


def rest_of(top: list[tuple[int, str, float]], vocab_size: int) -> str:
    """What the bars do not show."""
    rest = max(0.0, 1 - sum(math.exp(logprob) for _, _, logprob in top))
    return f"The other {vocab_size - len(top):,} tokens share {percent(rest)}."
