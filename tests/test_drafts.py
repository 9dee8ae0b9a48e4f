"""Writing and asking for one page: what is shown, what a stop does, what a choice keeps."""

import pytest

from lab.comparison import Comparison
from lab.config import SamplingConfig
from lab.errors import LabError, ModelError
from tests.fake_inference import FakeInference, token
from ui.asking import Asking, ask_all
from ui.drafts import Draft, write
from ui.widgets import unpacked

WORDS = [token(n, f" w{n}", top=[(100 + n, " other", -2.0)]) for n in range(40)]
SAMPLING = SamplingConfig(max_new_tokens=40)


def shown(values):
    """What a page shows in the end that follows the values as the script does: it keeps what it has."""
    tokens = []
    for value in map(unpacked, values):
        assert value["start"] <= len(tokens), "a gap"
        tokens += value["tokens"][len(tokens) - value["start"] :]
    return "".join(row[1] for row in tokens)


def test_everything_written_is_shown_and_the_end_is_told():
    draft = Draft()
    values = list(write(draft, FakeInference({"m": WORDS}), "m", "Hi", SAMPLING))
    assert shown(values) == "".join(word.text for word in WORDS)
    assert [unpacked(value)["state"] for value in values][:2] == ["waiting", "running"]
    last = unpacked(values[-1])
    assert (last["state"], last["start"], len(last["tokens"])) == ("done", 0, 40)
    assert last["note"].startswith("40 tokens in ")
    assert last["note"].endswith("the model ended its text")
    assert not draft.writing


def test_a_value_does_not_grow_with_the_text():
    values = list(write(Draft(), FakeInference({"m": WORDS}), "m", "Hi", SAMPLING))
    assert max(len(unpacked(value)["tokens"]) for value in values[:-1]) <= 17


def test_stop_takes_effect_at_the_next_token():
    draft, inference = Draft(), FakeInference({"m": WORDS})
    values = write(draft, inference, "m", "Hi", SAMPLING)
    for _ in range(4):
        next(values)  # waiting, and three tokens
    draft.stop()
    rest = list(values)
    assert inference.streams[0].given <= 5
    assert inference.streams[0].closed
    assert unpacked(rest[-1])["note"].endswith("stopped")
    assert not draft.writing


def test_a_new_text_ends_the_one_before_without_a_word():
    draft, inference = Draft(), FakeInference({"m": WORDS})
    first = write(draft, inference, "m", "Hi", SAMPLING)
    next(first), next(first)
    second = write(draft, inference, "m", "Again", SAMPLING)
    next(second)
    assert list(first) == []
    assert inference.streams[0].closed
    assert draft.writing
    assert shown(second)


def test_a_choice_keeps_what_stands_before_it():
    draft, inference = Draft(), FakeInference({"m": WORDS})
    list(write(draft, inference, "m", "Hi", SAMPLING))
    kept = draft.with_choice(2, 102)
    assert [each.text for each in kept] == [" w0", " w1", " other"]
    assert kept[2].top == WORDS[2].top
    list(write(draft, inference, "m", "Hi", SAMPLING, kept))
    assert inference.asked[1][3] == (0, 1, 102)
    assert draft.tokens[2].id == 102
    assert len(draft.tokens) == 40


@pytest.mark.parametrize(("position", "id"), [(99, 1), (-1, 1), (0, 12345)])
def test_only_what_was_shown_can_be_chosen(position, id):
    draft = Draft()
    list(write(draft, FakeInference({"m": WORDS}), "m", "Hi", SAMPLING))
    with pytest.raises(LabError, match="Choose again"):
        draft.with_choice(position, id)


def test_an_error_leaves_the_page_usable():
    draft = Draft()
    values = write(draft, FakeInference({}), "gone", "Hi", SAMPLING)
    assert unpacked(next(values))["state"] == "waiting"
    assert unpacked(next(values))["state"] == "done"
    with pytest.raises(ModelError, match="no model"):
        next(values)
    assert not draft.writing


# --- several models --------------------------------------------------------------------------------------------------


def begun(*models):
    return Comparison.begin([(model, model.upper()) for model in models], True, SAMPLING)


def test_all_prompts_are_answered_and_looked_at():
    inference = FakeInference({"a": WORDS[:3], "b": WORDS[:5]}, scores={"a": -2.0, "b": -1.0})
    page = Asking()
    values = [unpacked(value) for value in ask_all(page, inference, begun("a", "b"), ["one", "two"], {"b": 3})]
    assert [len(question.answers[1].tokens) for question in page.done.questions] == [5, 5]
    assert page.done.questions[0].shift.total == pytest.approx(5.0)  # five words, each one nat more likely
    assert values[0]["models"] == [{"name": "A", "colour": 0}, {"name": "B", "colour": 3}]
    assert values[0]["progress"] == "Prompt 1 of 2"
    last = values[-1]["questions"]["1"]
    assert last["panes"]["0"]["note"].endswith("the model ended its text")
    assert last["shift"]["sentence"].startswith("B finds this text")
    assert not page.asking


def test_stopping_keeps_what_there_is_and_asks_no_more():
    inference = FakeInference({"a": WORDS, "b": WORDS}, pause=0.03)
    page = Asking()
    values = ask_all(page, inference, begun("a", "b"), ["one", "two"], {})
    next(values), next(values)
    page.stop()
    list(values)
    assert len(page.done.questions) == 1
    assert {answer.finish for answer in page.done.questions[0].answers} == {"stopped"}
    assert all(stream.closed for stream in inference.streams)
    assert len(inference.streams) == 2


def test_a_shift_that_cannot_be_measured_is_explained_in_its_place():
    inference = FakeInference({"a": WORDS[:2], "b": WORDS[:2]})

    def refuse(*_, **__):
        raise ModelError("They cut differently.")

    inference.score_reply = refuse
    page = Asking()
    values = [unpacked(value) for value in ask_all(page, inference, begun("a", "b"), ["one"], {})]
    assert values[-1]["questions"]["0"]["shiftNote"] == "They cut differently."
    assert page.done.questions[0].shift is None
