"""Rows that one may not want to learn from (duplicates, refusals, …), counted, and left out by one click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.errors import DataError
from lab.readers.census import NOTICES
from ui.people import guests_may
from ui.uploads import dataset_choices
from ui.words import count

if TYPE_CHECKING:
    from ui.page import Page

TOO_LONG = "too_long"


class LeaveOut:
    """The part of a training page, below the choice of a set; not there for a set in which nothing was noticed."""

    def __init__(self, page: Page, elem_id: str, kind: str, dataset: gr.Dropdown) -> None:
        self._page, self._kind, self._dataset = page, kind, dataset
        self.part = gr.Accordion(
            "Leave rows out", open=False, visible=False, elem_id=f"{elem_id}-leave-out", elem_classes="owners"
        )
        with self.part:
            self.what = gr.CheckboxGroup(
                [], label="Rows with", info="Of rows that are the same, the first stays.", elem_id=f"{elem_id}-leave"
            )
            self.make = gr.Button("Make a set without them", size="sm", elem_id=f"{elem_id}-leave-make")

    def connect(self, model: Component, longest: Component) -> None:
        """Connect the events; what is too long is so for `model` with at most `longest` tokens."""
        page = self._page
        self._dataset.change(self.show, self._dataset, [self.part, self.what], show_progress="hidden")
        outputs = [self._dataset, page.notice]
        self.make.click(page.shown()(self.leave), [self._dataset, self.what, model, longest], outputs)

    @guests_may
    def show(self, dataset: str | None) -> tuple[Any, Any]:
        """What was noticed in a set, with how many rows each concerns."""
        try:
            found = self._page.workspace.datasets.report(dataset or "")["counts"]
        except DataError:  # made, not read from a file: nothing was noticed
            return gr.update(visible=False), gr.update(choices=[], value=[])
        noticed = [
            (f"{words} ({count(found[name], 'row')})", name) for name, words in NOTICES.items() if found.get(name)
        ]
        choices = [*noticed, ("more tokens than the longest example may have", TOO_LONG)]
        return gr.update(visible=True), gr.update(choices=choices, value=[])

    def leave(self, dataset: str | None, what: list[str], model: str | None, longest: float | None) -> Any:
        """Make a set without the rows, and choose it."""
        if not dataset or not what:
            raise DataError("Choose what to leave out.")
        sets = self._page.workspace.datasets
        limit: dict[str, Any] = {}
        if TOO_LONG in what and model and longest:
            limit = {"longest": int(longest), "model_folder": self._page.workspace.models.resolve(model)}
        taken = {info.name.lower() for info in sets.list()}
        stem = (dataset.rpartition(":")[2])[:50].strip()
        names = (f"{stem} fewer" + (f" {number}" if number > 1 else "") for number in range(1, 1000))
        name = next(each for each in names if each.lower() not in taken)
        made = sets.filtered(dataset, name, [each for each in what if each != TOO_LONG], **limit)
        return gr.update(choices=dataset_choices(self._page.workspace, self._kind), value=made.name)
