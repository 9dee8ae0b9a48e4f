"""What a set holds and what a model sees of it, and how a person's file becomes a set."""

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from lab.datasets import Datasets
from ui.data_view import lengths_value, looking_value, problems_value, sentence, summary_value, tokens_value
from ui.page import Page
from ui.uploads import Attention, Upload, builtin_title, dataset_choices, format_choices, free_name
from ui.widgets import unpacked

GOOD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
BAD = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def workspace(tmp_path):
    return SimpleNamespace(datasets=Datasets(tmp_path / "datasets"))


@pytest.fixture
def chats(tmp_path):
    file = tmp_path / "my chats.jsonl"
    file.write_text("\n".join(map(json.dumps, [GOOD, BAD, {**GOOD, "id": 2}, 7])), encoding="utf-8")
    return file


@pytest.fixture
def added(workspace, chats):
    workspace.datasets.add(chats, "chats")
    return workspace


def test_the_sentence_counts_what_was_taken(added):
    report = added.datasets.report("chats")
    assert sentence(report) == "2 conversations from 2 of 4 rows. 2 not taken."
    assert sentence(report | {"problems_total": 0, "total": 2}) == "2 conversations: every row of the file was taken."


def test_every_row_not_taken_has_number_reason_and_fix(added):
    rows = unpacked(problems_value(added.datasets.report("chats")))["rows"]
    assert [row[0] for row in rows] == [2, 4]
    assert all(reason and fix for _, reason, fix in rows)
    assert unpacked(problems_value(None))["rows"] == []


def test_what_a_model_sees(added, tiny_model):
    found = added.datasets.inspect("chats", tiny_model, max_length=512)
    value = unpacked(summary_value("chats", "conversations", added.datasets.report("chats"), found))
    assert value["title"].startswith("2 conversations from") and value["expectation"] == found.expectation
    assert dict(map(tuple, value["facts"]))["Tokens"] == str(found.tokens)
    tokens = unpacked(tokens_value(found, tiny_model))
    assert sum(found.examples[0].loss_mask) > 0 and "underlined" in tokens["note"]
    lengths = unpacked(lengths_value(found))
    assert sum(rows for _, _, rows in lengths["bins"]) == 2
    assert lengths["words"] == "None of them would be cut at 512 tokens."


def test_what_would_be_cut_is_said(added, tiny_model):
    found = added.datasets.inspect("chats", tiny_model, max_length=8)
    assert unpacked(lengths_value(found))["words"] == "100.0% (2 of 2) would be cut at 8 tokens."
    assert "is cut off" in unpacked(tokens_value(found, tiny_model))["note"]


def test_a_word_while_it_looks():
    assert unpacked(looking_value(1500))["title"] == "Looking at 1,500 rows …"


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_a_name_is_made_from_the_files_and_never_taken_twice(added, chats):
    assert free_name(added, chats) == "my chats"
    assert free_name(added, chats.with_name("chats.v2.jsonl")) == "chats-2"
    assert free_name(added, chats.with_name("<img src=x>.json")) == "img src-x"
    assert free_name(added, chats.with_name("....json")) == "data"


def test_choices_are_a_persons_own_first(added):
    choices = dataset_choices(added, "conversations")
    assert choices[0] == ("chats", "chats") and ("world: conversations", "world:conversations") in choices
    assert not any(name == "world:documents" for _, name in choices)
    assert builtin_title("sample:world_chat") == "sample: world chat"


def test_formats_are_those_of_the_kind():
    names = [name for _, name in format_choices("conversations")]
    assert names[0] == "" and {"messages", "sharegpt", "alpaca"} <= set(names) and "documents" not in names


@pytest.fixture
def upload(workspace):
    with gr.Blocks() as blocks:
        return Upload(Page.create(workspace, blocks), "sft", "conversations", gr.Dropdown([]))


def read(upload, path, format="", fix=False, name=""):
    return upload._read(str(path), format, fix, name, lambda report: {"refused": report})


def test_a_file_becomes_a_set_and_is_chosen(upload, workspace, chats):
    values = read(upload, chats)
    assert values[upload._dataset]["value"] == "my chats" and values[upload.name] == "my chats"
    assert values[upload.format]["choices"][0] == ("found out: " + _title("messages"), "")
    assert workspace.datasets.info("my chats").rows == 2


def _title(name):
    from lab.readers import FORMATS

    return FORMATS[name].title


def test_reading_it_again_replaces_the_same_set(upload, workspace, chats):
    read(upload, chats)
    read(upload, chats, format="messages", name="my chats")
    assert [info.name for info in workspace.datasets.list()] == ["my chats"]


def test_a_file_without_a_usable_row_shows_its_report_and_the_reason(upload, workspace, tmp_path):
    file = tmp_path / "wrong.jsonl"
    file.write_text(json.dumps(BAD), encoding="utf-8")
    values = read(upload, file)
    assert "wrong.jsonl" in values[upload._page.notice]["text"]
    assert len(values["refused"]["problems"]) == 1 and workspace.datasets.list() == []


def test_a_file_of_another_kind_is_not_kept(upload, workspace, tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"A long enough document, number {n}."}) for n in range(5)))
    values = read(upload, file)
    assert "documents" in values[upload._page.notice]["text"] and workspace.datasets.list() == []


def test_a_look_that_began_before_a_file_was_refused_does_not_paint_over_it():
    attention = Attention()
    assert not attention.elsewhere
    attention.begin("chats", "base")
    attention.refuse()
    assert attention.elsewhere
    attention.begin("chats", "base")  # the same choice again, from an event that was under way
    assert attention.elsewhere
    attention.begin("other chats", "base")
    assert not attention.elsewhere
