"""A file from a person becomes a data set: read, reported, and read again in another way when they say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.errors import DataError
from lab.readers import FORMATS
from lab.readers.reading import Columns
from ui.columns import ColumnChoice
from ui.errors import message, nothing_wrong

if TYPE_CHECKING:
    from lab.readers import ImportReport
    from lab.workspace import Workspace
    from ui.page import Page

FOUND_OUT = ""
"""The choice of a format that leaves it to Nudge."""
BY_COLUMNS = "columns"
"""The choice by which the person says which column is what."""

NAMED = "columns that I name"


@dataclass
class Attention:
    """What a view of data is about: the set that was chosen last, or a file that was refused after that. A look at the
    set that ends late does not paint over the refused file."""

    about: tuple[Any, ...] = ()
    begun: float = 0.0
    refused: float = -1.0

    def begin(self, *about: Any) -> None:
        """Something else was chosen; the same again does not count."""
        if about != self.about:
            self.about, self.begun = about, time.monotonic()

    def refuse(self) -> None:
        """A file was refused, and the view says why."""
        self.refused = time.monotonic()

    @property
    def elsewhere(self) -> bool:
        """Whether the view is about a refused file."""
        return self.refused > self.begun


class Upload:
    """A place for a file, and how to read it. The set it becomes is then chosen in `dataset`."""

    def __init__(self, page: Page, elem_id: str, kind: str, dataset: gr.Dropdown) -> None:
        self._page = page
        self._kind = kind
        self._dataset = dataset
        self.file = gr.File(
            label="Or your own file",
            elem_id=f"{elem_id}-file",
            height=84,
            file_count="single",
            elem_classes="owners",
        )
        with gr.Column(visible=False, elem_id=f"{elem_id}-reading", elem_classes="owners") as self.reading:
            choices = [*format_choices(kind), (NAMED, BY_COLUMNS)]
            self.format = gr.Dropdown(choices, value=FOUND_OUT, label="Read as", elem_id=f"{elem_id}-format")
            self.fix = gr.Checkbox(label="Put right what can be put right", elem_id=f"{elem_id}-fix")
        self.columns = ColumnChoice(elem_id, kind)
        self.name = gr.State("")
        """Name of the set that the file became."""
        self.attention = gr.State(Attention())
        """What the page's view of the data is about; every event of a page sees the same one."""

    def on_refused(self, show: Callable[[dict[str, Any]], tuple[Any, ...]], outputs: list[Component]) -> None:
        """Connect the events. `show` gives values for `outputs` from the report of a file that has no usable row."""

        def read(path: str | None, format: str | Columns, fix: bool, name: str, attention: Attention) -> dict[Any, Any]:
            if path and format == BY_COLUMNS:
                return self.columns.offer(path)

            def refused(report: dict[str, Any]) -> dict[Any, Any]:
                attention.refuse()
                return dict(zip(outputs, show(report)))

            return self._read(path, format, fix, name, refused)

        def read_so(
            path: str | None, chosen: list[str | None], fix: bool, name: str, attention: Attention
        ) -> dict[Any, Any]:
            try:
                columns = self.columns.chosen(chosen)
            except DataError as error:
                return {self._page.notice: message(error)}
            return read(path, columns, fix, name, attention)

        ins: list[Any] = [self.file, self.format, self.fix, self.name, self.attention]
        own: list[Any] = [self._dataset, self.reading, self.name, self.format, *self.columns.outputs]
        outs: list[Any] = [*own, *outputs, self._page.notice]
        self.columns.connect(self.file)
        self.columns.on_take(read_so, self.file, [self.fix, self.name, self.attention], outs)
        self.file.upload(
            lambda path, attention: read(path, FOUND_OUT, False, "", attention), [self.file, self.attention], outs
        )
        gr.on([self.format.input, self.fix.input], read, ins, outs)
        self.file.clear(lambda: gr.update(visible=False), None, self.reading, show_progress="hidden")

    def _read(
        self,
        path: str | None,
        format: str | Columns,
        fix: bool,
        name: str,
        refused: Callable[[dict[str, Any]], dict[Any, Any]],
    ) -> dict[Any, Any]:
        if not path:
            return {self.reading: gr.update(visible=False), **self.columns.hide()}
        workspace, since = self._page.workspace, time.monotonic()
        same: dict[Any, Any] = {self.reading: gr.update(visible=True)}
        try:
            new = name or free_name(workspace, Path(path))
            report = workspace.datasets.add(path, new, format or None, replace=bool(name), fix=fix)
            self._require_kind(report)
        except DataError as error:
            shown = refused(error.report.to_json()) if error.report is not None else {}
            fits_nothing = not format and error.report is not None and not error.report.format
            asked = self.columns.offer(path) if fits_nothing else {}
            return same | shown | asked | {self._page.notice: message(error)}
        choices = dataset_choices(workspace, self._kind)
        about = FORMATS[report.format].title or report.format if report.format in FORMATS else report.format
        others = [*format_choices(self._kind)[1:], (NAMED, BY_COLUMNS)]
        found = gr.update(choices=[(f"found out: {about}", FOUND_OUT), *others])
        chosen = gr.update(choices=choices, value=report.name)
        done = {self._dataset: chosen, self.name: report.name, self._page.notice: nothing_wrong(since)}
        hidden = {} if isinstance(format, dict) else self.columns.hide()
        return same | hidden | done | ({} if format else {self.format: found})

    def _require_kind(self, report: ImportReport) -> None:
        """Raises `DataError` when the file holds something else than this page trains on; it is not kept then."""
        if report.kind == self._kind:
            return
        self._page.workspace.datasets.remove(report.name)
        raise DataError(
            f"The file holds {report.kind}, and this page learns from {self._kind}. If it does hold {self._kind}, "
            "choose under “Read as” how they are written.",
            report,
        )


def free_name(workspace: Workspace, path: Path) -> str:
    """A name for a new set, made from the file's, that no set has yet."""
    stem = path.name.split(".")[0].strip() or "data"
    stem = "".join(letter if letter.isalnum() or letter in " -_" else "-" for letter in stem)[:56].strip(" -") or "data"
    taken = {info.name.lower() for info in workspace.datasets.list()}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}").lower() in taken:
        number += 1
    return name


def format_choices(kind: str) -> list[tuple[str, str]]:
    """(title, name) of the formats that hold this kind of example; the first one is to find it out."""
    known = [(format.title or name, name) for name, format in FORMATS.items() if format.kind == kind]
    return [("found out by itself", FOUND_OUT), *known]


def dataset_choices(workspace: Workspace, kind: str) -> list[tuple[str, str]]:
    """(title, name) of the sets of a kind: a person's own first, then those that come with Nudge."""
    own = [(info.name, info.name) for info in workspace.datasets.list() if info.kind == kind]
    built_in = [name for name in workspace.datasets.builtin() if workspace.datasets.info(name).kind == kind]
    return [*own, *((builtin_title(name), name) for name in built_in)]


def builtin_title(name: str) -> str:
    """What a built-in set is called on the page."""
    origin, _, rest = name.partition(":")
    return f"{origin}: {rest.replace('_', ' ').replace(':', ' ')}"
