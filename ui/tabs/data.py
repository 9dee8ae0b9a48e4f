"""Data: from web pages to clean text, with every decision visible and every threshold a handle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.corpus.pipeline_script import pipeline_script
from lab.corpus.rules import DIFFERENCES, PRESETS
from lab.errors import LabError
from ui.corpus_view import document_data, documents_data, draggable, funnel_data, histogram_data, rules_of
from ui.uploads import free_name
from ui.widgets import note_view, packed, plain_view
from ui.widgets.base import Value, widget

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

WORLD = "world:600"
WORLD_CHOICE = ("600 pages of the small world", WORLD)
LANGUAGES = [("English", "en"), ("Spanish", "es"), ("German", "de"), ("French", "fr")]
ORDERS = [("FineWeb's code", "code"), ("FineWeb's paper", "paper"), ("The talk", "talk")]
QUIET: dict[str, Any] = {"show_progress": "hidden"}


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    DataTab(workspace, page)


class DataTab:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace, self._page = workspace, page

        def look(asked: list[Any]) -> dict[str, Any]:
            return self.look(asked)

        def document(asked: list[Any]) -> dict[str, Any]:
            return self.document(asked)

        page.title("From web pages to clean text.", "Every rule measures every page. Move a threshold, see who stays.")
        with page.columns():
            with page.goes_in():
                self._place_choices()
            with page.comes_out():
                self.view = widget(
                    "corpus",
                    label="Steps of cleaning",
                    elem_id="data-corpus",
                    elem_classes="scene",
                    triggers=("choose", "halt", "proceed"),
                    server_functions=[look, document],
                    empty="Here the pages will pass the rules, one step after another.",
                )
                with gr.Accordion(
                    "The same rules for a cluster, with datatrove", open=False, elem_id="data-script-part"
                ):
                    self.script = plain_view(label="Script for datatrove", elem_id="data-script")
        self.id, self.chosen = gr.State(""), gr.State({})
        self._connect()

    def _place_choices(self) -> None:
        self.source = gr.Dropdown([WORLD_CHOICE], value=WORLD, label="Pages", elem_id="data-source")
        self.file = gr.File(
            label="Or your own: HTML, WARC, JSONL, Parquet", elem_id="data-file", height=84, elem_classes="owners"
        )
        self.language = gr.Dropdown(LANGUAGES, value="en", label="Language that stays", elem_id="data-language")
        self.order = gr.Radio(
            ORDERS,
            value="code",
            label="Order of the steps",
            info="The field's three accounts of the same recipe differ. ↑ and ↓ make your own.",
            elem_id="data-order",
        )
        self.name = gr.Textbox(label="Name of the set", placeholder="clean pages", elem_id="data-name", max_lines=1)
        self.raw = gr.Checkbox(
            label="Keep the text before cleaning too",
            info="Pretrain on both with the same steps, and compare the bits per byte.",
            elem_id="data-raw",
        )
        self.keep = gr.Button("Keep as a data set", variant="primary", elem_id="data-keep", elem_classes="owners")
        self.kept = note_view(label="What was kept", elem_id="data-kept")
        self.pretrain = gr.Button("Pretrain on it", visible=False, elem_id="data-pretrain")

    def _connect(self) -> None:
        shown, notice = self._page.shown, self._page.notice
        opened: dict[str, Any] = {"inputs": [self.source, self.language, self.order]}
        opened["outputs"] = [self.id, self.view, notice]
        self._page.on_open("data", shown()(self._open), **opened)
        gr.on([self.source.change, self.language.change, self.order.change], shown()(self._open), **opened, **QUIET)
        self.file.upload(shown()(self._add), self.file, [self.source, notice], **QUIET)
        self.view.choose(self._choose, None, self.chosen, **QUIET)
        self.chosen.change(shown()(self._script), [self.chosen, self.language], [self.script, notice], **QUIET)
        self.view.halt(shown()(self._halt), self.id, [notice], **QUIET)
        self.view.proceed(shown()(self._open), **opened, **QUIET)
        self.keep.click(
            shown()(self._keep),
            [self.id, self.chosen, self.name, self.raw],
            [self.kept, self.name, self.pretrain, notice],
        )
        self.pretrain.click(None, None, None, js=self._page.navigate("pretrain"))

    # --- events ----------------------------------------------------------------------------------------------------

    def _open(self, source: str, language: str, order: str) -> tuple[str, Value]:
        """Measure the pages that are chosen, or find them measured."""
        id = self._workspace.corpus.start(source, language)
        return id, packed({"id": id, "preset": order})

    def _add(self, path: str | None) -> Any:
        """A person's own pages."""
        if not path:
            return None
        self._workspace.corpus.start(path)
        choices = [WORLD_CHOICE, (Path(path).name, path)]
        return {self.source: gr.update(choices=choices, value=path)}

    def _choose(self, event: gr.EventData) -> dict[str, Any]:
        """A threshold or the order was moved on the page."""
        return {"preset": event.preset, "order": event.order, "thresholds": event.thresholds}

    def _script(self, chosen: dict[str, Any], language: str) -> tuple[Value]:
        """The chosen rules as datatrove's."""
        return (packed(pipeline_script(rules_of(chosen), language)),)

    def _halt(self, id: str) -> None:
        self._workspace.corpus.stop(id)

    def _keep(self, id: str, chosen: dict[str, Any], name: str, raw: bool) -> tuple[Value, Any, Any]:
        """Store what stays as a data set."""
        called = name.strip() or free_name(self._workspace, Path("clean pages"))
        count = self._workspace.corpus.keep(id, rules_of(chosen), called)
        text = f"{count:,} documents kept as “{called}”. Pretrain can learn from them now."
        if raw:
            before = free_name(self._workspace, Path(f"{called} before"))
            text += f" {self._workspace.corpus.keep_raw(id, before):,} uncleaned ones as “{before}”."
        return packed(text), "", gr.update(visible=True)

    # --- what the page asks ----------------------------------------------------------------------------------------

    def look(self, asked: list[Any]) -> dict[str, Any]:
        """Progress, funnel, a rule's histogram and the documents of a step, under the rules that the page has."""
        id, chosen, rule, step, start = asked
        try:
            rules = rules_of(chosen)
            rule = rule if rule in rules else "too_few_words"
            result = self._workspace.corpus.result(str(id), rules)
            before = self._workspace.corpus.result(str(id), PRESETS[chosen["preset"]])
            return {
                "progress": self._workspace.corpus.progress(str(id)),
                "funnel": funnel_data(result),
                "kept": len(result.kept),
                "kept_before": len(before.kept),
                "histogram": histogram_data(result, rule),
                "rules": draggable(rules),
                "difference": DIFFERENCES[chosen["preset"]] if not chosen.get("order") else "An order of your own.",
                "documents": documents_data(result, str(step), int(start)) if step else None,
            }
        except LabError as error:
            return {"error": str(error)}

    def document(self, asked: list[Any]) -> dict[str, Any]:
        """Everything about one document."""
        id, chosen, number = asked
        try:
            return document_data(self._workspace.corpus.result(str(id), rules_of(chosen)), int(number))
        except LabError as error:
            return {"error": str(error)}
