"""The values of the widgets, by hand, and that no template lets anybody's text in."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lab.chat_template import ChatTemplate
from lab.comparison import Shift, ShiftedToken
from lab.config import SamplingConfig
from lab.next_token import NextToken
from lab.token_study import lengths, search, segments
from lab.tokenizer import Token, load_tokenizer
from tests.fake_inference import token
from ui.parts.next_token import next_token_value
from ui.widgets import (
    chat_value,
    conversations_value,
    encoded_tokens,
    packed,
    percent,
    shift_data,
    stream_value,
    token_value,
    token_view,
    unpacked,
)
from ui.widgets.compare import colour_limit
from ui.widgets.study import aligned_value, found_value, ladder_value, text_figures

ROOT = Path(__file__).resolve().parent.parent


# --- nobody's text becomes HTML or a template ----------------------------------------------------------------------


def test_templates_hold_no_place_for_a_value():
    for path in sorted((ROOT / "ui").rglob("*.py")):
        for template in re.findall(r"(?:html|css)_template=f?(['\"])(.*?)\1", path.read_text(encoding="utf-8")):
            assert "{{" not in template[1], path
            assert "${" not in template[1], path


def test_every_html_component_has_a_template_of_its_own():
    for path in sorted((ROOT / "ui").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for place in [match.start() for match in re.finditer(r"gr\.HTML\(", source)]:
            assert "html_template" in source[place : place + 600], f"{path} uses the template of gr.HTML"


@pytest.mark.parametrize("path", sorted((ROOT / "assets").glob("*.js")), ids=lambda path: path.name)
def test_scripts_write_text_content_only(path):
    source = path.read_text(encoding="utf-8")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in source


def test_a_widget_is_one_empty_element_and_a_value_in_json():
    made = token_view(token_value([Token(1, "<b>", b"<b>", 0, 3)]), label="Tokens", elem_id="here")
    assert made.html_template == '<div class="nudge-widget nudge-tokens"></div>'
    assert unpacked(made.value)["texts"] == ["<b>"]


def test_half_a_surrogate_pair_travels():
    assert packed(["\ud800"])["json"] == '["\\ud800"]'


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_parts_of_a_character_are_grouped():
    thumb = "👍".encode()  # f0 9f 91 8d, here in three tokens, the first with the space before it
    pieces = [b"ok", b" " + thumb[:2], thumb[2:3], thumb[3:], b"!"]
    tokens = [Token(n, piece.decode("utf-8", "replace"), piece, 0, 1) for n, piece in enumerate(pieces)]
    value = unpacked(token_value(tokens))
    assert value["texts"] == ["ok", " 👍", "", "", "!"]
    assert value["parts"] == {"1": [1, 3, " 👍"], "2": [2, 3, " 👍"], "3": [3, 3, " 👍"]}
    assert value["bytes"] == {"1": "20 f0 9f", "2": "91", "3": "8d"}


def test_bytes_that_never_become_a_character_stand_alone():
    tokens = [Token(0, "�", b"\xff", 0, 1), Token(1, "a", b"a", 1, 2)]
    value = unpacked(token_value(tokens))
    assert value["parts"] == {"0": [1, 1, "�"]}
    assert value["texts"] == ["�", "a"]


def test_loss_mask_special_tokens_and_the_limit():
    tokens = [Token(n, f"t{n}", f"t{n}".encode(), n, n + 1, n == 0) for n in range(10)]
    value = unpacked(token_value(tokens, [n > 6 for n in range(10)], limit=9))
    assert (value["special"], value["loss"], value["total"]) == ([0], [7, 8], 10)
    assert len(value["ids"]) == 9
    assert unpacked(token_value(tokens, total=1000))["total"] == 1000


def test_a_conversation_as_tokens(tiny_model):
    template = ChatTemplate.from_folder(tiny_model)
    encoded = template.encode([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}])
    value = unpacked(token_value(encoded_tokens(template.tokenizer, encoded), encoded.loss_mask))
    learned = "".join(value["texts"][index] for index in value["loss"])
    assert learned.startswith("Yes")
    assert "Hi" not in learned
    assert value["special"]


def test_conversations_take_mappings_and_objects():
    messages = [{"role": "user", "content": "a"}, SimpleNamespace(role="assistant", content="<i>")]
    assert unpacked(chat_value(messages))["conversations"][0]["messages"][1] == {"role": "assistant", "content": "<i>"}
    assert [c["title"] for c in unpacked(conversations_value([messages, messages]))["conversations"]] == [
        "Conversation 1",
        "Conversation 2",
    ]


# --- a model's text --------------------------------------------------------------------------------------------------


def test_a_growing_text_says_what_is_partial_and_what_is_control():
    tokens = [
        token(5, " a"),
        token(6, "", raw=b"\xf0\x9f"),
        token(7, "", raw=b"<|end|>"),
        token(8, "👍", raw=b"\x91\x8d"),
    ]
    rows = unpacked(stream_value("k", "p", tokens, start=3))["tokens"]
    assert [row[4:] for row in rows] == [["", ""], ["f0 9f", ""], ["", "<|end|>"], ["91 8d", ""]]
    assert rows[0][:3] == [5, " a", -0.69315]
    assert rows[0][3] == [[5, " a", -0.69315]]


def test_bars_before_and_after():
    now = NextToken(np.log(np.array([0.5, 0.25, 0.25], dtype=np.float32)), (1,), 0, {0: "a", 1: "b", 2: "c"})
    value = unpacked(next_token_value(now, SamplingConfig(temperature=1.0, top_k=1), now.texts.get))
    assert [(row["text"], row["before"], row["after"]) for row in value["rows"]] == [
        ("a", 0.5, 1.0), ("b", 0.25, 0.0), ("c", 0.25, 0.0),
    ]  # fmt: skip
    assert value["steps"] == [["model", 3], ["top-k", 1]]
    assert value["chosen"] == {"id": 0, "text": "a", "start": 0.0, "end": 1.0}
    assert [part["id"] for part in value["bar"]] == [0]
    greedy = unpacked(next_token_value(now, SamplingConfig(temperature=0.0), now.texts.get))
    assert greedy["coin"] is None


@pytest.mark.parametrize(
    ("share", "words"), [(1, "100 %"), (0.372, "37.2 %"), (0.0041, "0.41 %"), (0.00001, "< 0.01 %"), (0, "cut")]
)
def test_percent(share, words):
    assert percent(share) == words


def test_a_shift_lists_the_largest_changes_first():
    shifts = [0.0, 2.0, -1.0, 0.001, 4.0]
    tokens = tuple(ShiftedToken(n, str(n), -5.0, -5.0 + shift) for n, shift in enumerate(shifts))
    data = shift_data(Shift("a", "b", tokens), "base", "tuned")
    assert (data["raised"], data["lowered"]) == ([4, 1], [2])
    assert data["limit"] == 5  # nine in ten of |shift| stay within 4; the next round number is 5


def test_colour_limit():
    assert colour_limit([]) == 0.5
    assert colour_limit([0.1] * 9 + [100]) == 0.5
    assert colour_limit([-20] * 10) == 8
    assert colour_limit([math.nan, 0.7]) == 1


# --- studying a text -------------------------------------------------------------------------------------------------


def test_figures_and_ladder():
    text = "né"
    counts = lengths(text, 3)
    assert unpacked(text_figures(counts))[0] == {"number": "3", "name": "tokens"}
    rungs = {rung["name"]: rung for rung in unpacked(ladder_value(text, [9, 8, 7], counts, 256))["rungs"]}
    assert rungs["code points"]["start"] == ["U+006E", "U+00E9"]
    assert rungs["bytes (UTF-8)"]["start"] == ["6e", "c3", "a9"]
    assert rungs["bits"]["length"] == 24
    assert rungs["tokens"] == {"name": "tokens", "length": 3, "symbols": 256, "start": ["9", "8", "7"]}


def test_two_tokenizers_on_one_text():
    letters, bytes_ = load_tokenizer("characters").encode("né"), load_tokenizer("bytes").encode("né")
    value = unpacked(aligned_value(("letters", "bytes"), letters, bytes_, segments(letters, bytes_)))
    assert [[len(s["top"]), len(s["bottom"])] for s in value["segments"]] == [[1, 1], [1, 2]]
    assert "They differ in 1 of 2 places." in value["note"]


def test_what_a_search_says():
    letters = load_tokenizer("bytes")
    assert unpacked(found_value(search(letters, "a"), "a"))["note"] == "1 token."
    assert "No token" in unpacked(found_value(search(letters, "ab"), "ab"))["note"]
    assert "Type" in unpacked(found_value(search(letters, ""), ""))["note"]
