"""Models: all that are at hand, what they were made from and what they are made of; to name, take away or delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ModelError
from lab.model_folder import is_adapter
from lab.model_parts import layer_count, parameters_by_part, size_on_disk
from ui.models_tree import parts_value, tree_value
from ui.people import guests_may
from ui.progress import Tell, told
from ui.run_panel import title
from ui.widgets import note_view, packed, widget
from ui.widgets.base import Value
from ui.words import size

if TYPE_CHECKING:
    from lab.hub import Download
    from lab.kept_models import KeptModels
    from lab.workspace import Workspace
    from ui.page import Page

MERGED, AS_IT_IS = "whole weights, the adapter merged", "as it is here"
_ASK = """(_, chosen) => {
  const name = document.querySelector("#models-parts h2")?.textContent;
  return [confirm(`Delete “${name}”? What was measured of its run stays.`) ? "yes" : "", chosen];
}"""


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("All models at hand, and where they come from.")
    with page.columns():
        with page.goes_in():
            with gr.Column(elem_classes=["owners"]):
                new = gr.Textbox(
                    label="Folder or Hub id",
                    placeholder="org/name",
                    info="A Hub id is downloaded: safetensors, settings and tokenizer only.",
                    max_lines=1,
                    elem_id="models-new",
                )
                with gr.Row():
                    add = gr.Button("Add", variant="primary", elem_id="models-add")
                    stop = gr.Button("Stop", elem_id="models-stop")
                progress = note_view(label="How far it is", elem_id="models-progress")
            with gr.Column(visible=False, elem_id="models-chosen", elem_classes=["owners"]) as group:
                name = gr.Textbox(label="Name", max_lines=1, elem_id="models-name")
                note = gr.Textbox(label="Note", lines=3, elem_id="models-note")
                save = gr.Button("Save", size="sm", elem_id="models-save")
                with gr.Accordion("Take it away", open=False, elem_id="models-export-part"):
                    folder = gr.Textbox(
                        label="Folder",
                        info="A new one, on the machine of this Nudge. A card with data, recipe and lineage goes in.",
                        max_lines=1,
                        elem_id="models-folder",
                    )
                    merge = gr.Radio([MERGED, AS_IT_IS], value=MERGED, label="As", elem_id="models-merge")
                    export = gr.Button("Export", elem_id="models-export")
                    exported = note_view(label="The export", elem_id="models-exported")
                delete = gr.Button("Delete", variant="stop", elem_id="models-delete")
        with page.comes_out():
            tree = widget(
                "modelTree", label="Models", elem_id="models-tree", triggers=("choose",), elem_classes="scene"
            )
            parts = widget("modelParts", label="The chosen model", elem_id="models-parts", elem_classes="scene")
    chosen = gr.State("")
    tab = ModelsTab(page, [tree, parts, group, name, note, folder, merge, delete, chosen])
    shown = page.shown("models")
    quiet: dict[str, Any] = {"show_progress": "hidden"}
    outputs = [*tab.outputs, page.notice]
    page.on_open("models", tab.show, chosen, tab.outputs)
    tree.choose(shown(tab.choose), None, outputs, **quiet)
    adding = gr.on([add.click, new.submit], shown(tab.add), new, [progress, chosen, new, page.notice], **quiet)
    adding.then(tab.show, chosen, tab.outputs, **quiet)
    save.click(shown(tab.save), [chosen, name, note], outputs, **quiet)
    exporting = export.click(shown(tab.export), [chosen, folder, merge], [exported, page.notice], **quiet)
    stop.click(None, None, None, cancels=[adding, exporting])
    delete.click(shown(tab.delete), [gr.Textbox(visible=False), chosen], outputs, js=_ASK, **quiet)


class ModelsTab:
    """What the tab's events do."""

    def __init__(self, page: Page, outputs: list[Any]) -> None:
        self._page = page
        self._models: KeptModels = page.workspace.models
        self.outputs = outputs
        """What `show` gives values for."""

    @guests_may
    def show(self, chosen: str) -> tuple[Any, ...]:
        """The models there are now, with one of them chosen: the one that was, or the first."""
        found = self._models.list()
        references = [info.reference for info in found]
        chosen = chosen if chosen in references else references[0] if references else ""
        return tree_value(self._page, found, chosen), *self._of(chosen), chosen

    @guests_may
    def choose(self, event: gr.EventData) -> tuple[Any, ...]:
        """A model of the tree was chosen."""
        return self.show(str(event.reference))

    def _of(self, reference: str) -> tuple[Any, ...]:
        if not reference:
            return None, gr.update(visible=False), "", "", "", gr.update(), gr.update()
        info = self._models.info(reference)
        needed = [title(self._page.workspace.runs.get(run)) for run in self._models.needed_by(reference)]
        facts = parts_value(
            info, parameters_by_part(info.folder), layer_count(info.folder), size_on_disk(info.folder), needed
        )
        return (
            facts,
            gr.update(visible=True),
            gr.update(value=info.name, interactive=info.kind != "bundled"),
            self._models.note(reference),
            "",
            gr.update(visible=is_adapter(info.folder)),
            gr.update(visible=info.kind != "bundled", interactive=not needed or info.kind in ("folder", "hub")),
        )

    def add(self, reference: str) -> Iterator[tuple[Value | None, Any, Any]]:
        """Add a folder, or download a Hub model."""
        if not (reference := reference.strip()):
            raise ModelError("Write a folder, or a Hub id such as org/name.")

        def work(tell: Tell) -> str:
            def watch(download: Download) -> None:
                tell(f"{download.file}: {size(download.done)} of {size(download.total)}")

            tell(f"Looking at {reference} …")
            return self._models.add(reference, watch).reference

        for text, added in told(work):
            if added is None:
                yield packed(text), gr.skip(), gr.skip()
            else:
                yield packed("Added."), added, ""

    def save(self, chosen: str, name: str, note: str) -> tuple[Any, ...]:
        """Keep the name and the note."""
        info = self._models.info(chosen)
        if info.kind != "bundled" and name.strip() != info.name:
            self._models.rename(chosen, name)
        self._models.set_note(chosen, note)
        return self.show(chosen)

    def export(self, chosen: str, folder: str, merge: str) -> Iterator[tuple[Value]]:
        """Write the model to a folder."""
        if not folder.strip():
            raise ModelError("Write the folder that it should go to; one that does not exist yet.")
        for text, path in told(
            lambda tell: self._models.export(chosen, folder.strip(), merge=merge == MERGED, tell=tell)
        ):
            yield (packed(text if path is None else f"It is in {path}, with a card."),)

    def delete(self, sure: str, chosen: str) -> Any:
        """Forget an added model, or delete what a run made; nothing when the question was answered with no."""
        if sure != "yes":
            return None
        self._page.workspace.inference.unload(chosen)
        self._models.remove(chosen)
        return self.show("")
