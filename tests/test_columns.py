"""Files that fit no format: columns named by hand, and what the first rows then become."""

import json

import pytest

from lab.errors import DataError
from lab.readers.preview import columns_in, named, preview
from ui.columns import ColumnChoice, _messages
from ui.widgets.base import unpacked


@pytest.fixture
def odd(tmp_path):
    rows = [{"frage": f"What is {n}?", "antwort": f"It is {n}.", "who": "me"} for n in range(150)]
    rows[2]["antwort"] = ""
    (tmp_path / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "odd.jsonl"


def test_the_columns_of_a_file_that_fits_nothing(odd):
    assert list(columns_in(odd)) == ["frage", "antwort", "who"]


def test_what_the_first_rows_become(odd):
    found = preview(odd, named("conversations", {"prompt": "frage", "completion": "antwort", "system": None}))
    assert [message.content for message in found.examples[0].messages] == ["What is 0?", "It is 0."]
    assert (len(found.examples), found.looked_at, found.taken) == (3, 100, 99)
    assert "99 of the first 100 rows" in found.sentence and "Row 3" in found.sentence


@pytest.mark.parametrize(
    ("kind", "chosen", "words"),
    [
        ("conversations", {"prompt": "a", "completion": None}, "which column is the reply"),
        ("preferences", {"prompt": "a", "chosen": "b", "rejected": "b"}, "two things"),
        ("documents", {}, "the text"),
    ],
)
def test_a_choice_that_is_not_complete(kind, chosen, words):
    with pytest.raises(DataError, match=words):
        named(kind, chosen)


def test_rows_without_columns_have_nothing_to_name(tmp_path):
    (tmp_path / "list.json").write_text("[[1, 2], [3, 4]]")
    assert columns_in(tmp_path / "list.json") == {}


@pytest.fixture
def form():
    import gradio as gr

    with gr.Blocks():
        yield ColumnChoice("x", "conversations")


def test_the_form_offers_the_columns_and_shows_what_they_give(form, odd):
    offered = form.offer(str(odd))
    assert offered[form.group]["visible"] and offered[form.fields["prompt"]]["choices"][0][1] == "frage"
    assert offered[form.fields["system"]]["choices"][0] == ("none", None)
    note, chats = form.look(str(odd), "frage", "antwort", None)
    assert "99 of the first 100" in unpacked(note)
    assert unpacked(chats)["conversations"][0]["messages"][1]["content"] == "It is 0."
    note, chats = form.look(str(odd), "frage", None, None)
    assert "reply" in unpacked(note) and chats is None


def test_pairs_problems_and_texts_read_like_a_chat(tmp_path):
    (tmp_path / "p.jsonl").write_text(json.dumps({"q": "Who?", "good": "Me.", "bad": "You."}))
    pair = preview(tmp_path / "p.jsonl", {"prompt": "q", "chosen": "good", "rejected": "bad"}).examples[0]
    assert [row["role"] for row in _messages(pair)] == ["user", "better", "worse"]
    (tmp_path / "t.jsonl").write_text(json.dumps({"body of it": "Once."}))
    text = preview(tmp_path / "t.jsonl", {"text": "body of it"}).examples[0]
    assert _messages(text) == [{"role": "text", "content": "Once."}]
