"""Comparisons: asking in step, the shift by hand, keeping, and a page that runs nothing."""

import json
import math
from contextlib import closing
from html.parser import HTMLParser

import pytest

from lab.comparison import (
    Answer,
    AnswerToken,
    Comparison,
    Question,
    Shift,
    ShiftedToken,
    ask,
    measure_shift,
    prompts_of,
    times,
)
from lab.comparison_page import page
from lab.config import SamplingConfig
from lab.errors import DataError, ModelError
from lab.saved_comparisons import Comparisons
from tests.fake_inference import FakeInference, token

HOSTILE = "<script>document.title='pwned'</script><img src=x onerror=alert(1)>${1+1}{{7*7}}![](http://evil.example/x)"


def shift(*pairs):
    tokens = tuple(ShiftedToken(n, f"t{n}", base, tuned) for n, (base, tuned) in enumerate(pairs))
    return Shift("bundled:base", "run:1", tokens)


def comparison(text="I am Nudge.", prompt="Who are you?"):
    answers = tuple(
        Answer(model, (AnswerToken(1, text, -0.5, text.encode().hex()),), "end") for model in ("bundled:base", "run:1")
    )
    begun = Comparison.begin([("bundled:base", "base"), ("run:1", text)], True, SamplingConfig(seed=7))
    return begun.with_question(Question(prompt, answers, shift((-2.0, -1.0))))


def test_one_prompt_on_each_line():
    assert prompts_of("  Who?\n\nOnce upon\\na time \n") == ["Who?", "Once upon\na time"]
    assert prompts_of(" \n") == []


# --- the shift -------------------------------------------------------------------------------------------------------


def test_shift_by_hand():
    found = shift((math.log(0.1), math.log(0.4)), (math.log(0.5), math.log(0.25)), (-1.0, -1.001))
    assert [round(token.shift, 4) for token in found.tokens] == [1.3863, -0.6931, -0.001]
    assert found.total == pytest.approx(math.log(4 * 0.5) - 0.001)
    assert (found.raised, found.lowered) == (1, 1)
    words = found.sentence("base", "tuned")
    assert words.startswith(
        "tuned finds this text 2 times as likely as base does: +0.7 nats over 3 tokens, +0.23 each."
    )
    assert words.endswith("1 became more likely, 1 less, and 1 stayed within 1 %.")


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2, "2 times"),
        (0.137, "0.14 times"),
        (1, "1 times"),
        (1643, "1,600 times"),
        (1e8, "10⁸ times"),
        (1e-12, "10⁻¹² times"),
    ],
)
def test_ratios_in_words(ratio, words):
    assert times(math.log(ratio)) == words


def test_measured_shift_is_of_the_same_text_in_both_models():
    inference = FakeInference({}, scores={"a": -2.0, "b": -0.5})
    found = measure_shift(inference, "a", "b", "Who?", "I am", chat=True)
    assert [(token.text, token.shift) for token in found.tokens] == [("I", 1.5), (" am", 1.5)]
    assert measure_shift(inference, "a", "b", "Who?", "", chat=False) is None


def test_models_that_cut_differently_are_not_compared():
    inference = FakeInference({})
    score = inference.score_reply
    inference.score_reply = lambda model, *rest, **more: score(model, rest[0], "ab c" if model == "a" else "abc")
    with pytest.raises(ModelError, match="different tokens"):
        measure_shift(inference, "a", "b", "?", "abc", chat=True)


# --- asking ----------------------------------------------------------------------------------------------------------


def test_all_models_are_asked_in_step_the_same_thing():
    inference = FakeInference({"a": [token(1, "x")] * 3, "b": [token(2, "y")]})
    seen = [
        (place, len(batch), finish)
        for place, batch, finish in ask(inference, ["a", "b"], "Hi", SamplingConfig(seed=3), chat=True)
    ]
    assert seen == [(0, 1, ""), (1, 1, ""), (0, 1, ""), (1, 0, "end"), (0, 1, ""), (0, 0, "end")]
    assert {(asked[1][0]["content"], asked[2].seed) for asked in inference.asked} == {("Hi", 3)}


def test_closing_stops_every_model():
    inference = FakeInference({"a": [token(1, "x")] * 99, "b": [token(2, "y")] * 99})
    with closing(ask(inference, ["a", "b"], "Hi", SamplingConfig(), chat=False)) as asked:
        next(asked)
    assert [(stream.closed, stream.given) for stream in inference.streams] == [(True, 1), (True, 0)]
    assert inference.asked[0][1] == "Hi"


# --- keeping ---------------------------------------------------------------------------------------------------------


def test_saved_and_found_again(tmp_path):
    saved = Comparisons(tmp_path / "comparisons")
    assert saved.list() == []
    made = comparison()
    saved.save(made)
    assert saved.get(made.id) == made
    assert saved.has(made.id)
    (tmp_path / "comparisons" / "broken.json").write_text("{")
    assert [each.id for each in saved.list()] == [made.id]
    saved.remove(made.id)
    assert saved.list() == []


def test_json_round_trip_with_a_partial_character():
    made = comparison()
    half = Answer("bundled:base", (AnswerToken(9, "", -0.1, "f09f"),), "stopped")
    made = made.with_question(Question("?", (half,)))
    back = Comparison.from_json(json.loads(json.dumps(made.to_json())))
    assert back == made
    assert back.questions[1].answers[0].tokens[0].bytes == b"\xf0\x9f"


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "a/b", "x" * 65, "a.json"])
def test_an_id_never_leaves_the_folder(tmp_path, id):
    with pytest.raises(DataError, match="no saved comparison"):
        Comparisons(tmp_path).get(id)


@pytest.mark.parametrize(
    "values",
    [{}, {"id": 1}, comparison().to_json() | {"questions": [{}]}, comparison().to_json() | {"sampling": {"x": 1}}],
)
def test_what_is_no_comparison_is_refused(values):
    with pytest.raises(DataError, match="not a comparison"):
        Comparison.from_json(values)


def test_title():
    assert comparison(prompt="Who\nare you?").title.endswith("base and I am Nudge.: Who are you?")


# --- the page to take away -------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def test_the_page_holds_the_texts_and_runs_nothing():
    found = Tags()
    found.feed(page(comparison(HOSTILE, HOSTILE)))
    assert found.tags.isdisjoint({"script", "img", "iframe", "a", "link", "svg"})
    assert not any(name.startswith("on") for name in found.attributes)
    assert found.text.count(HOSTILE) >= 3  # the prompt, two answers; names of models besides
    assert "default-src 'none'" in page(comparison())
    assert "+1.00" in found.text
