"""Cells as a table shows them, and the list of runs in History."""

import datetime

import gradio as gr
import pandas as pd
import pytest

from lab.errors import RunError
from tests.parts import Parts, settings
from ui.page import Page
from ui.tables import frame_value, plain, table_value
from ui.tabs.history import HistoryView, answer_value, lineage_of, run_rows
from ui.widgets import unpacked


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, None),
        (float("nan"), None),
        (pd.NaT, None),
        (3, 3),
        (0.25, 0.25),
        (float("inf"), "inf"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ((), ""),
        (datetime.datetime(2026, 11, 20, 14, 32, 5), "2026-11-20 14:32:05"),
        ("x" * 500, "x" * 400 + "…"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_a_cell_is_plain(cell, shown):
    assert plain(cell) == shown


def test_a_frame_becomes_columns_and_rows():
    frame = pd.DataFrame({"name": ["a", "b"], "loss": [0.5, None]})
    assert unpacked(frame_value(frame, "2 rows.")) == {
        "columns": ["name", "loss"],
        "rows": [["a", 0.5], ["b", None]],
        "note": "2 rows.",
    }
    assert unpacked(table_value([], [])) == {"columns": [], "rows": [], "note": ""}


# --- History ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two finished runs that differ in their seed, and one that failed."""
    with Parts(tmp_path_factory.mktemp("history")) as parts:
        parts.runs.start(settings(6), name="one").wait(30)
        parts.runs.start(settings(6, seed=3), name="two").wait(30)
        parts.runs.start(settings(6, "fail at 3"), name="broken").wait(30)
        yield parts


@pytest.fixture
def page(parts):
    parts.notices = []
    with gr.Blocks() as blocks:
        return Page.create(parts, blocks)


@pytest.fixture
def view(page):
    with page.blocks:
        shown = {name: gr.HTML() for name in ("runs", "plot", "differences", "lineage", "files")}
        notes = {"group": gr.Column(), "name": gr.Textbox(), "tags": gr.Textbox(), "note": gr.Textbox()}
        return HistoryView(page, shown, notes, gr.State(()))


def ids(parts):
    return {run.name: run.id for run in parts.runs.list()}


def test_the_list_has_every_run_newest_first(page):
    rows = run_rows(page)
    assert [(row["name"], row["word"]) for row in rows] == [
        ("broken", "Failed"),
        ("two", "Finished"),
        ("one", "Finished"),
    ]
    assert [row["colour"] for row in rows] == [3, 2, 1]
    assert rows[1]["step"] == 6 and rows[1]["loss"] > 0 and rows[1]["dataset"] == "chats"


def test_two_runs_show_what_differs(view, parts):
    one, two = ids(parts)["one"], ids(parts)["two"]
    values = view._of((one, two))
    found = unpacked(values[view._shown["differences"]])
    assert (found["columns"], found["rows"]) == (["Setting", "one", "two"], [["seed", 0, 3]])
    assert [run["name"] for run in values[view._shown["plot"]]["runs"]] == ["one", "two"]
    assert values[view._notes["group"]]["visible"] is False


def test_one_run_shows_its_notes_and_keeps_new_ones(view, parts):
    one = ids(parts)["one"]
    view.save((one,), "one", " good , slow,,good ", "Worked at once.")
    values = view._of((one,))
    assert values[view._notes["tags"]] == "good, slow" and values[view._notes["note"]] == "Worked at once."
    assert next(row for row in run_rows(view._page) if row["id"] == one)["tags"] == ["good", "slow"]


def test_a_chosen_run_that_is_gone_is_not_chosen_any_more(view, parts):
    values = view.open(("gone",))
    assert values[view._chosen] == (ids(parts)["broken"],)


def test_lineage_of_a_run_without_result(page, parts):
    assert lineage_of(page, parts.runs.get(ids(parts)["broken"])) == [("base", 0), ("broken", 3)]


def test_sql_answers_and_refuses(parts):
    assert unpacked(answer_value(parts, "select name from runs where status = 'failed'"))["rows"] == [["broken"]]
    with pytest.raises(Exception, match="SELECT"):
        answer_value(parts, "delete from points")


def test_a_run_that_does_not_exist_cannot_be_noted(view):
    with pytest.raises(RunError):
        view.save(("gone",), "", "", "")
