"""History: every run of the workspace, found again, laid over one another, noted and taken away as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.errors import ModelError
from ui.people import guests_may
from ui.plots import live_plot, plot_value
from ui.run_panel import WORDS, parent, title
from ui.tables import frame_value, plain, table, table_value
from ui.widgets.base import Value, packed, widget

if TYPE_CHECKING:
    from lab.runs import Run
    from lab.workspace import Workspace
    from ui.page import Page

MOST_RUNS = 8
"""Runs that can be laid over one another; more cannot be told apart."""
QUESTION = "select name, status, step, best_heldout_loss\nfrom runs\norder by best_heldout_loss"
COLUMNS = "runs, metrics (run_id, name, step, value), samples (run_id, step, prompt, text), models, datasets"


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("Every run, and what came of it.")
    runs = widget("runs", label="Runs", elem_id="history-runs", triggers=("choose", "open"))
    with page.columns():
        with page.goes_in():
            lineage = widget("lineage", label="Lineage", elem_id="history-lineage")
            with gr.Column(visible=False, elem_id="history-notes", elem_classes="owners") as notes:
                name = gr.Textbox(label="Name", max_lines=1, elem_id="history-name")
                tags = gr.Textbox(label="Tags", placeholder="separated by commas", max_lines=1, elem_id="history-tags")
                note = gr.Textbox(label="Note", lines=3, elem_id="history-note")
                save = gr.Button("Save", size="sm", elem_id="history-save")
            files = widget("downloads", label="Files", elem_id="history-files")
        with page.comes_out():
            with gr.Column(elem_classes=["scene"]):
                plot = live_plot(page, "history-plot", "Curves of the chosen runs")
            differences = table("history-differences", "Settings in which the runs differ", page_size=30)
    _sql_part(workspace, page)
    chosen = gr.State(())
    shown = {"runs": runs, "plot": plot, "differences": differences, "lineage": lineage, "files": files}
    view = HistoryView(page, shown, {"group": notes, "name": name, "tags": tags, "note": note}, chosen)
    runs.choose(page.shown()(view.choose), None, [*view.outputs, page.notice], show_progress="hidden")
    save.click(page.shown()(view.save), [chosen, name, tags, note], [runs, page.notice], show_progress="hidden")
    page.on_open("history", view.open, chosen, view.outputs)


def _sql_part(workspace: Workspace, page: Page) -> None:
    with gr.Accordion("Ask with SQL", open=False, elem_id="history-sql-part", elem_classes="owners"):
        text = gr.Textbox(
            QUESTION, label="One SELECT", lines=4, max_lines=20, elem_id="history-sql", elem_classes="mono"
        )
        gr.HTML(
            html_template=f'<p class="soft small">Tables: {COLUMNS}. At most 10,000 rows, within 5 seconds.</p>',
            js_on_load=None,
            apply_default_css=False,
        )
        ask = gr.Button("Ask", size="sm", elem_id="history-ask", scale=0)
        answer = table("history-answer", "Answer", page_size=20)
    ask.click(page.shown()(lambda query: answer_value(workspace, query)), text, [answer, page.notice])


def answer_value(workspace: Workspace, query: str) -> Value:
    """The rows of a query, as a table's value."""
    frame = workspace.history.sql(query)
    cut = " More were left out." if frame.attrs.get("cut") else ""
    return frame_value(frame, f"{len(frame):,} row{'' if len(frame) == 1 else 's'}.{cut}")


class HistoryView:
    """What the tab shows of the runs that are chosen."""

    def __init__(self, page: Page, shown: Mapping[str, Component], notes: dict[str, Any], chosen: gr.State) -> None:
        self._page = page
        self._workspace = page.workspace
        self._shown = shown
        self._notes = notes
        self._chosen = chosen

    @property
    def outputs(self) -> list[Any]:
        """The components that change when runs are chosen."""
        return [*self._shown.values(), *self._notes.values(), self._chosen]

    def open(self, chosen: tuple[str, ...]) -> dict[Any, Any]:
        """The tab is opened: the list as it is now, with the same runs chosen, or the newest."""
        known = [run.id for run in self._workspace.runs.list()]
        still = tuple(id for id in chosen if id in known) or tuple(known[:1])
        return {self._shown["runs"]: runs_value(self._page, still), **self._of(still)}

    @guests_may
    def choose(self, event: gr.EventData) -> dict[Any, Any]:
        """Runs were chosen in the list: their ids are in the event."""
        return self._of(tuple(map(str, event.runs))[:MOST_RUNS])

    def _of(self, ids: tuple[str, ...]) -> dict[Any, Any]:
        runs = [self._workspace.runs.get(id) for id in ids]
        lines = [lineage_of(self._page, run) for run in runs]
        values: dict[str, Any] = {
            "plot": plot_value([(run.id, title(run), self._page.colour(run.model)) for run in runs]),
            "differences": self._differences(ids),
            "lineage": packed({"lines": lines}),
            "files": packed({"runs": list(ids)}),
        }
        return {
            **{self._shown[name]: value for name, value in values.items()},
            **self._noted(ids),
            self._chosen: ids,
        }

    def _noted(self, ids: tuple[str, ...]) -> dict[Any, Any]:
        """Name, tags and note of the run, when it is one."""
        if len(ids) != 1:
            return {self._notes["group"]: gr.update(visible=False)}
        row = next(row for row in run_rows(self._page) if row["id"] == ids[0])
        return {
            self._notes["group"]: gr.update(visible=True),
            self._notes["name"]: row["given"],
            self._notes["tags"]: ", ".join(row["tags"]),
            self._notes["note"]: row["note"],
        }

    def _differences(self, ids: tuple[str, ...]) -> Value:
        if len(ids) < 2:
            return table_value([], [])
        found = self._workspace.history.compare_configs(ids)
        names = [title(self._workspace.runs.get(id)) for id in ids]
        rows = [[setting, *map(plain, values)] for setting, values in zip(found.index, found.to_numpy().tolist())]
        return table_value(["Setting", *names], rows, "" if rows else "These runs have the same settings.")

    def save(self, chosen: tuple[str, ...], name: str, tags: str, note: str) -> Value:
        """Keep what a person wrote about the chosen run."""
        wanted = [tag.strip() for tag in tags.split(",") if tag.strip()]
        self._workspace.history.annotate(chosen[0], tags=wanted, note=note, name=name.strip())
        return runs_value(self._page, chosen)


def lineage_of(page: Page, run: Run) -> list[tuple[str, int]]:
    """Names and colours of the models that a run came from, and of its own, whether it is there yet or not."""
    try:
        line = page.workspace.models.lineage(parent(run))
    except ModelError:  # the parent was removed
        line = []
    return [*((info.name, page.colour(info.reference)) for info in line), (title(run), page.colour(run.model))]


def run_rows(page: Page) -> list[dict[str, Any]]:
    """The runs as rows of the list, the newest first."""
    found = page.workspace.history.runs()
    return [_run_row(page, row) for row in found.to_dict("records")]


def _run_row(page: Page, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"] or row["id"],
        "given": row["name"] or "",
        "algorithm": row["algorithm"],
        "status": row["status"],
        "word": WORDS.get(row["status"], row["status"]),
        "model": plain(row["parent"]),
        "dataset": plain(row["dataset"]),
        "step": plain(row["step"]),
        "loss": plain(row["loss"]),
        "heldout": plain(row["best_heldout_loss"]),
        "minutes": None if plain(row["duration"]) is None else round(row["duration"] / 60, 1),
        "created": plain(row["created"]),
        "tags": list(row["tags"]),
        "note": row["note"] or "",
        "colour": page.colour(f"run:{row['id']}"),
        "tab": row["algorithm"] if row["algorithm"] in page.tabs else "",
    }


def runs_value(page: Page, chosen: tuple[str, ...]) -> Value:
    """The list of runs with some of them chosen."""
    return packed({"runs": run_rows(page), "chosen": list(chosen), "most": MOST_RUNS})
