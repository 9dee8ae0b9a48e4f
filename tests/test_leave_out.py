"""Rows left out of a set by one click: what is offered, and what is left."""

import json

import gradio as gr
import pytest

from lab.errors import DataError
from lab.workspace import Workspace
from ui.leave_out import TOO_LONG, LeaveOut
from ui.page import Page


@pytest.fixture
def workspace(tmp_path):
    for part in ("runs", "datasets"):
        (tmp_path / "lab" / part).mkdir(parents=True)
    with Workspace(tmp_path / "lab") as opened:
        rows = [{"prompt": f"What is {n}?", "completion": f"It is the number {n}."} for n in range(9)]
        rows += [rows[0], {"prompt": "Tell me.", "completion": "I'm sorry, but I can't do that."}]
        rows += [{"prompt": "Long?", "completion": "word " * 400}]
        (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)))
        opened.datasets.add(tmp_path / "chats.jsonl", "chats")
        yield opened


@pytest.fixture
def part(workspace):
    with gr.Blocks() as blocks:
        page = Page.create(workspace, blocks)
        return LeaveOut(page, "x", "conversations", gr.Dropdown([]))


def test_what_was_noticed_is_offered_with_its_number(part):
    visible, choices = part.show("chats")
    offered = {name: words for words, name in choices["choices"]}
    assert visible["visible"] and {"duplicates", "refusals", TOO_LONG} <= set(offered)
    assert "(1 row)" in offered["duplicates"]


def test_a_set_that_was_made_offers_nothing(part):
    assert part.show("world:conversations")[0]["visible"] is False and part.show(None)[0]["visible"] is False


def test_the_rows_are_left_out_of_a_new_set(part, workspace):
    made = part.leave("chats", ["duplicates", "refusals"], None, None)
    assert made["value"] == "chats fewer" and workspace.datasets.info("chats fewer").rows == 10
    assert workspace.datasets.info("chats").rows == 12
    again = part.leave("chats", [TOO_LONG], "bundled:base", 200.0)
    assert again["value"] == "chats fewer 2" and workspace.datasets.info("chats fewer 2").rows == 11


def test_nothing_chosen_is_said(part):
    with pytest.raises(DataError, match="what to leave out"):
        part.leave("chats", [], None, None)
