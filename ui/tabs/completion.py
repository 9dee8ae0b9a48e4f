"""Completion: a model writes on from a prompt, token by token, and every token could have been another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.config import SamplingConfig
from lab.errors import ConfigError
from ui.drafts import WRITING, Draft, write
from ui.forms import ConfigForm
from ui.parts.branches import BranchesPart
from ui.parts.builders import BuildersPart
from ui.parts.compress import CompressPart
from ui.parts.inside import InsidePart
from ui.parts.next_token import NextTokenPart
from ui.parts.regurgitation import RegurgitationPart
from ui.parts.samples import SamplesPart
from ui.parts.surprise import SurprisePart
from ui.widgets import Value, note_view, packed, stream_value, stream_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

PROMPT = "Once there was a"
EXAMPLES = """apple: soka
pen: fobe
book: fupu
orange: pako
cup: feda
ball: niva
cake: moro
egg: ruti
toy: bilu
hat: modu
lamp: daba
coin: roba"""
"""The table that the few-shot builder begins with: entries of the dictionary that the bundled model has read."""

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
                self.branches = BranchesPart(page, self.draft, self.text, self.prompt)
                SamplesPart(workspace, page, self.model, self.prompt, self.form)
                BuildersPart(workspace, page, self.model, self.prompt, self.form.fields["stop"], EXAMPLES)
                RegurgitationPart(workspace, page, self.draft)
                SurprisePart(workspace, page, self.model)
                CompressPart(workspace, page, self.model)
                InsidePart(workspace, page, self.model, self.prompt)
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
        self.next = NextTokenPart(self._workspace, self.form)

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
        over = choose.then(self._buttons, self.draft, [self.complete, self.stop], queue=False)
        self.branches.keep_after(over)
        self.stop.click(lambda draft: draft.stop(), self.draft, None, queue=False)
        gr.on(
            [self.prompt.change, self.model.change, tab.select],
            shown()(self._look),
            {self.prompt, self.model, *self.form.components},
            self._looked,
            show_progress="hidden",
            trigger_mode="always_last",
        )
        self._connect_steps()
        self._page.prompt.change(lambda prompt: prompt or gr.skip(), self._page.prompt, self.prompt)

    def _connect_steps(self) -> None:
        """The text one token at a time, with the bars of the place where it is."""
        shown, inputs = self._page.shown, {*self._inputs, self.next.now}
        look = {"fn": shown()(self._look_on), "inputs": inputs, "outputs": self._looked, "show_progress": "hidden"}
        for button, tokens in ((self.next.step, 1), (self.next.rest, None)):
            write_on = shown("completion")(partial(self._step, tokens))
            self._then_write(button.click(None), write_on, inputs).then(**look)
        back = self.next.again.click(shown()(self._start_over), self._inputs, self._outputs, show_progress="hidden")
        back.then(shown()(self._look), self._inputs, self._looked, show_progress="hidden")

    def _then_write(self, event: Any, callback: Any, inputs: set[Any] | None = None) -> Any:
        """After `event`, write with `callback`; Stop can be pressed meanwhile. Gives the last event."""
        buttons = [self.complete, self.stop]
        busy = event.then(
            lambda: (gr.update(interactive=False), gr.update(interactive=True)), None, buttons, queue=False
        )
        written = busy.then(callback, inputs or self._inputs, self._outputs, **WRITING)
        over = written.then(self._buttons, self.draft, buttons, queue=False)
        self.branches.keep_after(over)
        return over

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

    def _write(
        self, values: Mapping[Any, Any], kept: list[Any] | None = None, sampling: SamplingConfig | None = None
    ) -> Iterator[Value | None]:
        """Write on from the prompt (and the kept tokens)."""
        if not values[self.model]:
            raise ConfigError("There is no model to write with. Choose one here.", "model")
        settings = sampling or self.form.read(values)
        inference = self._workspace.inference
        yield from write(values[self.draft], inference, values[self.model], values[self.prompt], settings, kept)

    def _step(self, tokens: int | None, values: Mapping[Any, Any]) -> Iterator[Value | None]:
        """Write so many tokens more after the place whose bars are shown, or all of them."""
        sampling = self.form.read(values)
        kept = self._written(values)
        left = max(1, sampling.max_new_tokens - len(kept))
        yield from self._write(values, kept, sampling.replace(max_new_tokens=tokens or left))

    def _written(self, values: Mapping[Any, Any]) -> list[Any]:
        """The tokens before the place whose bars are shown."""
        draft, now = values[self.draft], values[self.next.now]
        same = (draft.prompt, draft.model) == (values[self.prompt], values[self.model])
        return draft.tokens[: now.position] if now is not None and same else []

    def _start_over(self, values: Mapping[Any, Any]) -> Value:
        """The prompt alone again."""
        draft: Draft = values[self.draft]
        draft.end(draft.begin(values[self.model] or "", values[self.prompt]))
        return stream_value(draft.key, draft.prompt, [])

    def _look_on(self, values: Mapping[Any, Any]) -> tuple[Any, ...]:
        """What may come after all that is written."""
        return self._look(values, [token.id for token in values[self.draft].tokens])

    @property
    def _looked(self) -> list[Any]:
        return [self.next.bars, self.why, self.next.now, self.next.model_shown, self._page.notice]

    def _look(self, values: Mapping[Any, Any], continued: Sequence[int] = ()) -> tuple[Any, ...]:
        """What may come next, and what to say about the text."""
        model = values[self.model]
        if not model:
            return packed({"rows": [], "note": "No model is chosen."}), packed(_RAW), None, ""
        now = self._workspace.inference.next_distribution(model, values[self.prompt], continued)
        said = _TUNED if self._workspace.models.info(model).is_chat else _RAW
        return self.next.drawn(now, self._sampling(values), model), packed(said), now, model

    def _sampling(self, values: Mapping[Any, Any]) -> SamplingConfig:
        """The settings, or the usual ones while a number is being typed."""
        try:
            return self.form.read(values)
        except ConfigError:
            return SamplingConfig()
