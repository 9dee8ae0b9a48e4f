"""Compare: the same prompts, several models, the same sampling; and what training made more and less likely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.comparison import Comparison, prompts_of
from lab.config import SamplingConfig
from lab.errors import ConfigError, LabError
from lab.saved_comparisons import Comparisons
from ui.asking import Asking, ask_all
from ui.drafts import WRITING
from ui.forms import ConfigForm
from ui.people import owners_only
from ui.widgets import Value, comparison_view, packed, whole_comparison, widget

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

PROMPT = "Who are you?"
MOST = 4
"""Models at once."""


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    Compare(workspace, page)


class Compare:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace, self._page = workspace, page
        self._saved = Comparisons(workspace.folder / "comparisons")
        page.title("The same question, before and after training.", "Same prompt, same sampling, same seed.")
        with page.columns():
            with page.goes_in():
                self._place_inputs()
            with page.comes_out():
                self.answers = comparison_view(
                    label="Answers side by side",
                    elem_id="compare-answers",
                    elem_classes="scene",
                    empty="The answers will stand here side by side, and under them what training made more and less "
                    "likely. Right after a run, its model and the one it started from are chosen.",
                )
                with gr.Row(elem_classes="line-of-buttons"):
                    self.save = gr.Button(
                        "Save this comparison", visible=False, scale=0, elem_id="compare-save", elem_classes="owners"
                    )
                    self.files = widget("saved", label="Files", elem_id="compare-files")
        self._connect()

    def _place_inputs(self) -> None:
        self.models = gr.Dropdown(
            self._page.model_choices(),
            value=[],
            multiselect=True,
            max_choices=MOST,
            label="Models",
            info="Two to four. The shift is from the first to the last.",
            elem_id="compare-models",
        )
        self.prompts = gr.Textbox(
            PROMPT, label="Prompts", info="One on each line.", lines=3, max_lines=12, elem_id="compare-prompts"
        )
        self.chat = gr.Radio(
            [("As a chat", True), ("As raw text to go on from", False)], value=True, label="Ask", elem_id="compare-chat"
        )
        self.form = ConfigForm(SamplingConfig, "compare", main=("temperature", "max_new_tokens", "seed"))
        with gr.Row():
            self.ask = gr.Button("Ask both", variant="primary", elem_id="compare-ask")
            self.stop = gr.Button("Stop", interactive=False, elem_id="compare-stop")
        with gr.Accordion("Saved comparisons", open=False, elem_id="compare-saved-part"):
            self.saved = gr.Dropdown([], label="Saved", elem_id="compare-saved")
            with gr.Row():
                self.open = gr.Button("Open", elem_id="compare-open")
                self.remove = gr.Button("Delete", variant="stop", elem_id="compare-delete", elem_classes="owners")
        self.asking = gr.State(Asking())

    def _connect(self) -> None:
        page, notice, shown = self._page, self._page.notice, self._page.shown
        tab = page.tabs["compare"]
        quick: Any = {"queue": False, "show_progress": "hidden"}
        quiet: Any = {"show_progress": "hidden"}
        buttons = [self.ask, self.stop, self.save, self.files]
        inputs = {self.models, self.prompts, self.chat, self.asking, *self.form.components}
        gr.on([tab.select, page.pair.change], self._refresh, [page.pair, page.model, self.models], self.models, **quiet)
        tab.select(self._list, self.saved, self.saved, **quiet)
        self.models.change(lambda models: "Ask all" if len(models) > 2 else "Ask both", self.models, self.ask, **quick)
        self.models.change(self._warm, self.models, None, **quick)
        busy = self.ask.click(self._busy, None, buttons, **quick)
        asked = busy.then(shown("compare")(self._ask), inputs, [self.answers, notice], **WRITING)
        asked.then(self._buttons, self.asking, buttons, **quick)
        self.stop.click(lambda asking: asking.stop(), self.asking, None, queue=False)
        self.save.click(shown()(self._save), self.asking, [self.saved, self.files, self.save, notice], **quiet)
        opened = self.open.click(shown()(self._open), [self.saved, self.asking], [self.answers, notice], **quiet)
        opened.then(self._buttons, self.asking, buttons, **quick)
        self.remove.click(shown()(self._remove), self.saved, [self.saved, notice], **quiet)

    # --- callbacks -------------------------------------------------------------------------------------------------

    def _refresh(self, pair: tuple[str, ...], in_hand: str, chosen: list[str]) -> dict[str, Any]:
        """The models there are now. Starts with the pair that another tab gave, else the model in hand and its root."""
        choices = self._page.model_choices()
        known = {reference for _, reference in choices}
        wanted = [reference for reference in pair or chosen if reference in known]
        if len(wanted) < 2:
            wanted = self._default_pair(in_hand)
        return gr.update(choices=choices, value=wanted)

    def _warm(self, models: list[str]) -> None:
        """Load what was chosen while the person reads the prompt."""
        for model in models:
            self._workspace.inference.warm(model)

    def _default_pair(self, in_hand: str) -> list[str]:
        """The model in hand and the root of its line; of the newest run, when nothing made here is in hand. Before any
        run, the bundled models: the base and the assistant made from it."""
        kept = [run for run in self._workspace.runs.list() if run.status in ("finished", "stopped")]
        newest = max(kept, key=lambda run: run.created).model if kept else in_hand
        try:
            line = self._workspace.models.lineage(in_hand if in_hand.startswith("run:") else newest)
        except LabError:
            return []
        ends = dict.fromkeys([line[0].reference, line[-1].reference])
        return list(ends) if len(ends) > 1 else ["bundled:base", "bundled:sft"]

    def _busy(self) -> tuple[Any, ...]:
        return gr.update(interactive=False), gr.update(interactive=True), gr.update(visible=False), None

    def _buttons(self, asking: Asking) -> tuple[Any, ...]:
        """Ask, Stop, Save and the files, by what is going on."""
        idle, something = not asking.asking, bool(asking.done and asking.done.questions)
        saved = asking.done.id if asking.done and self._saved.has(asking.done.id) else None
        return (
            gr.update(interactive=idle),
            gr.update(interactive=not idle),
            gr.update(visible=idle and something and not saved),
            packed({"id": saved}) if saved else None,
        )

    def _ask(self, values: Mapping[Any, Any]) -> Iterator[Value]:
        """Ask all models all prompts."""
        models, prompts = values[self.models], prompts_of(values[self.prompts])
        if len(models) < 2:
            raise ConfigError("Choose at least two models to compare.", "models")
        if not prompts:
            raise ConfigError("Write a prompt to ask.", "prompts")
        names = {reference: name for name, reference in self._page.model_choices()}
        begun = Comparison.begin(
            [(each, names.get(each, each)) for each in models], values[self.chat], self.form.read(values)
        )
        yield from ask_all(values[self.asking], self._workspace.inference, begun, prompts, self._colours(models))

    def _colours(self, references: list[str]) -> dict[str, int]:
        return {reference: self._page.colour(reference) for reference in references}

    def _list(self, chosen: str | None) -> dict[str, Any]:
        choices = [(comparison.title, comparison.id) for comparison in self._saved.list()]
        return gr.update(choices=choices, value=chosen if chosen in {id for _, id in choices} else None)

    @owners_only
    def _save(self, asking: Asking) -> tuple[Any, ...]:
        if not asking.done or not asking.done.questions:
            raise LabError("There is nothing to save yet. Ask something first.")
        self._saved.save(asking.done)
        return self._list(asking.done.id), packed({"id": asking.done.id}), gr.update(visible=False)

    def _open(self, id: str | None, asking: Asking) -> Value:
        if not id:
            raise LabError("Choose a saved comparison to open.")
        comparison = self._saved.get(id)
        asking.end(asking.begin(comparison))
        return whole_comparison(
            comparison, f"{id}-again", self._colours([reference for reference, _ in comparison.models])
        )

    @owners_only
    def _remove(self, id: str | None) -> Any:
        if not id:
            raise LabError("Choose a saved comparison to delete.")
        self._saved.remove(id)
        return self._list(None)
