"""Few-shot prompts, verbatim runs, the tree of branches."""

import json
from types import SimpleNamespace

import pytest

from lab.branches import Branches
from lab.errors import DataError, LabError
from lab.few_shot import Example, few_shot_prompt, is_right, read_table, shots_of
from lab.regurgitation import Corpus


def test_a_table_of_examples():
    table = read_table("sea: see\n\nsky => blue sky\nred\tcolour\n")
    assert table == [("sea", "see"), ("sky", "blue sky"), ("red", "colour")]
    with pytest.raises(DataError, match="Line 2"):
        read_table("a: b\nnothing here")


def test_the_table_of_the_page_is_of_the_bundled_models_world():
    from lab.world import World
    from ui.tabs.completion import EXAMPLES

    truth = World().truth
    assert all(truth.dictionary[question] == answer for question, answer in read_table(EXAMPLES))


def test_every_question_is_asked_after_other_examples():
    table = [Example(f"q{n}", f"a{n}") for n in range(12)]
    shots = shots_of(table, 10)
    assert len(shots) == 12
    for example, shot in zip(table, shots):
        *before, last = shot.prompt.split("\n")
        assert last == f"{example.question}:" and shot.answer == example.answer
        assert len(set(before)) == 10 and f"{example.question}: {example.answer}" not in before
    assert [shot.prompt for shot in shots_of(table, 0)] == [f"q{n}:" for n in range(12)]
    assert few_shot_prompt([], "x") == "x:"
    for wrong in (11, 12, -1):
        with pytest.raises(DataError, match="shots"):
            shots_of(table, wrong)
    assert is_right(" Blue.\nred", "blue") and not is_right("light blue", "blue")


def test_the_longest_verbatim_run():
    corpus = Corpus(["the fox ran over the hill", "a fox sat", "over the hill and far away"])
    pieces = ["we ", "saw ", "the ", "fox ", "ran ", "over ", "the ", "hill ", "and ", "far ", "home"]
    # "the fox ran over the hill" (25 letters) ends its document; "over the hill and far " (22) overlaps it.
    longest = max(corpus.runs(pieces, least=5), key=lambda run: run.characters)
    assert "".join(pieces[longest.start : longest.end]) in ("over the hill and far ", "the fox ran over the ")
    assert longest.times == 1
    assert corpus.runs(["quite ", "new"]) == []
    assert (len(corpus), corpus.runs(["a fox ", "sat"], least=3)[0].document) == (3, 2)
    assert corpus.novelty("the fox ran home", 2) == pytest.approx(1 / 3)
    assert corpus.novelty("short", 2) is None


def written(*ids):
    return [SimpleNamespace(id=id, text=f" {id}", logprob=-0.6931471805599453, top=[]) for id in ids]


def test_the_tree_of_branches():
    tree = Branches().add("m", "p", written(1, 2, 3))
    assert tree.add("m", "p", written(1, 2, 3)) == tree.add("m", "p", written(1, 2)) == tree
    tree = tree.add("m", "p", written(1, 5)).add("m", "p", written(1, 5, 6)).add("m", "p", written(1, 5, 7))
    assert [(branch.number, branch.parent, branch.shared) for branch in tree.kept] == [
        (1, None, 0),
        (2, 1, 1),
        (3, 2, 2),
    ]
    assert [(depth, branch.number) for depth, branch in tree.in_order()] == [(0, 1), (1, 2), (2, 3)]
    assert tree.get(1).bits == pytest.approx(1.0)
    named = tree.named(2, " the other ")
    rows = json.loads(named.to_json())["branches"]
    assert [row["name"] for row in rows] == ["branch 1", "the other", "branch 3"]
    assert rows[2]["leaves"] == "the other" and rows[2]["text"] == " 1 5 7"
    assert tree.add("other", "p", written(1, 2)).kept[-1].parent is None
    with pytest.raises(LabError):
        tree.get(9)
