"""Probes: their judges by hand, a model that knows everything, a model that knows nothing."""

from types import SimpleNamespace

import pytest

from lab.errors import ConfigError
from lab.probes import PROBES, Probes, run_probes, wilson
from lab.world import World
from lab.world.questions import (
    STARTS,
    Answer,
    concludes,
    ends_its_turn,
    goes_on_asking,
    is_exactly,
    says,
    words_continued,
)


def said(text, ended=True):
    return Answer(text, ended)


def knowing(items):
    """What a model would write that knows every answer and the form that is asked for."""
    answers = []
    for item in items:
        start = next((s for s in STARTS.values() if str(item.prompt).endswith(s) or _last(item).endswith(s)), "")
        if item.judge is goes_on_asking:
            answers.append(said("\nWhat is the capital of Barany?\n"))
        elif start and start != "The answer is":
            answers.append(said(f" 1+1=2. The answer is {item.expected}."))
        elif "How many" in str(item.prompt) and not start:
            answers.append(said(f"The answer is {item.expected}."))
        else:
            answers.append(said(f" {item.expected}"))
    return answers


def _last(item):
    return item.prompt if isinstance(item.prompt, str) else item.prompt[-1]["content"]


def test_wilson_by_hand():
    # n=10, right=5: centre 0.5; half = 1.96/(1+0.38416) * sqrt(0.025 + 0.009604) = 0.2634
    low, high = wilson(5, 10)
    assert (low, high) == (pytest.approx(0.2366, abs=1e-3), pytest.approx(0.7634, abs=1e-3))
    assert wilson(0, 200)[0] == 0.0
    assert 0 < wilson(0, 200)[1] < 0.02
    assert wilson(200, 200)[1] == 1.0


def test_wilson_is_the_one_of_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for right, n in ((3, 17), (40, 200), (199, 200)):
        expected = proportion.proportion_confint(right, n, method="wilson")
        assert wilson(right, n) == pytest.approx(expected, abs=1e-4)


def test_judges():
    assert says("Zanburg")(said("He was born in Zanburg."))
    assert not says("Zanburg")(said("He was born in Zanburgia."))
    assert not says("12")(said("3.12 or 112"))
    assert is_exactly("9.9")(said(" 9.9.\nWhich is higher?"))
    assert not is_exactly("9.9")(said(" 9.91"))
    assert concludes("17")(said("First 12+5=17. The answer is 17."))
    assert not concludes("17")(said("First 12+5=17. The answer is 18."))
    assert concludes("17", "The answer is")(said(" 17."))
    assert concludes("3 and 40")(said("The answer is 3 and 40."))
    assert not concludes("3")(said("The answer is 3 and 40."))
    assert goes_on_asking(said("\n\nWhere was Tom born?\nQuiz"))
    assert not goes_on_asking(said(" Tom was born in Zanburg."))
    assert ends_its_turn(said("Hello!"))
    assert not ends_its_turn(said("Hello!", ended=False))
    assert not ends_its_turn(said(""))


def test_words_continued():
    assert words_continued("a b c d e", "a b", " c d x") == 2
    assert words_continued("a b c", "a b", " c d") == 1
    assert words_continued("a b c", "a b", "") == 0


def test_a_model_that_knows_all_is_right_everywhere():
    results = run_probes(knowing, names=[probe.name for probe in PROBES], n=12)
    assert {result.name: result.share for result in results} == {probe.name: 1.0 for probe in PROBES}


def test_a_model_that_says_nothing_is_never_right():
    results = run_probes(lambda items: [said("", ended=False) for _ in items], n=12)
    assert [result.right for result in results] == [0] * len(results)


def test_the_same_questions_every_time():
    asked = []
    for _ in range(2):
        run_probes(lambda items: asked.append([i.prompt for i in items]) or knowing(items), names=["facts/famous"], n=5)
    assert asked[0] == asked[1]


def test_unknown_people_are_the_unknown():
    world = World()
    names = {person.name for person in world.truth.unknown}
    prompts = []
    run_probes(lambda items: prompts.extend(items) or knowing(items), names=["facts/unknown"], n=20, world=world)
    assert all(any(name in item.prompt.rsplit("Q: ", 1)[1] for name in names) for item in prompts)


def test_a_probe_that_does_not_exist():
    with pytest.raises(ConfigError, match="facts/famous"):
        run_probes(knowing, names=["facts/infamous"])


class Inference:
    """Answers everything with the same text."""

    def __init__(self):
        self.seen = []

    def complete_many(self, model, prompts, sampling=None):
        self.seen.append((model, list(prompts), sampling))
        return [SimpleNamespace(text=" x", finish="stop") for _ in prompts]


def test_the_door_gives_a_table():
    inference = Inference()
    table = Probes(inference).run("bundled:base", names=["drills", "chat/famous"], n=3)
    assert list(table["name"]) == ["drills", "chat/famous"]
    assert list(table["n"]) == [3, 3]
    assert set(table.columns) >= {"right", "share", "low", "high", "meaning"}
    assert [len(prompts) for _, prompts, _ in inference.seen] == [3, 3]  # a probe's questions go together
    assert all(sampling.temperature == 0 for _, _, sampling in inference.seen)
