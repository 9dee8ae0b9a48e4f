"""What a model would see of a set: counted by hand on a tokenizer with a token a byte."""

import json

import pytest

from lab.datasets import Datasets
from lab.errors import ModelError
from lab.inspection import expectation
from tests.tokenizer_samples import CHATML_MARKED, UNMARKED, byte_level, save


@pytest.fixture
def datasets(tmp_path):
    return Datasets(tmp_path / "datasets")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a tokenizer of single bytes, so that lengths can be counted."""
    return save(byte_level(264), tmp_path_factory.mktemp("models") / "bytes", template=CHATML_MARKED)


def add(datasets, tmp_path, rows, name="a"):
    (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(tmp_path / f"{name}.jsonl")


def row(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


# <|im_start|> user \n … <|im_end|> \n has 1 + 4 + 1 + 1 + 1 tokens around the question; the assistant's name has 9
FRAME = 8 + 13


def test_lengths_shares_and_cuts(datasets, tmp_path, model):
    add(datasets, tmp_path, [row("qq", "a" * n) for n in (1, 2, 50, 60)])
    found = datasets.inspect("a", model, max_length=FRAME + 2 + 20)
    assert found.lengths == [FRAME + 2 + n for n in (1, 2, 50, 60)]
    assert (found.rows, found.examined, found.cut, found.cut_rows, found.share_cut) == (4, 4, 2, [3, 4], 0.5)
    limit = FRAME + 2 + 20
    assert found.tokens == FRAME + 3 + FRAME + 4 + 2 * limit
    before = 8 + 2 + 11  # of the question and the assistant's head, nothing is learned
    assert found.loss_tokens == 2 + 3 + 2 * (limit - before)
    assert found.loss_tokens + found.loss_tokens_cut == sum(n + 1 for n in (1, 2, 50, 60))
    assert found.loss_share == found.loss_tokens / found.tokens
    assert "50% of the rows are longer than 43 tokens" in found.warnings[0]
    assert found.without_loss == 0
    assert datasets.inspect("a", model, max_length=12).without_loss == 4


def test_examples_show_every_token_with_its_mask(datasets, tmp_path, model):
    add(datasets, tmp_path, [row("hi", "é!")])
    example = datasets.inspect("a", model, max_length=28).examples[0]
    assert example.messages == row("hi", "é!")["messages"] and example.row == 1
    assert example.texts == [
        *("<|im_start|>", *"user", "\n", "h", "i", "<|im_end|>", "\n"),
        *("<|im_start|>", *"assistant", "\n", "é", "é", "!", "<|im_end|>", "\n"),
    ]
    assert [text for text, learn in zip(example.texts, example.loss_mask) if learn] == ["é", "é", "!", "<|im_end|>"]
    assert len(example.ids) == 26 == example.kept
    assert (example.starts[22], example.ends[22]) == (example.starts[21], example.ends[21])


def test_the_histogram_counts_every_row_once(datasets, tmp_path, model):
    add(datasets, tmp_path, [row("q", "a" * n) for n in range(1, 101)])
    found = datasets.inspect("a", model, max_length=512)
    for bins in (1, 7, 24, 1000):
        histogram = found.histogram(bins)
        assert sum(count for _, _, count in histogram) == 100 and len(histogram) <= bins
        assert histogram[0][0] == min(found.lengths) and histogram[-1][1] >= max(found.lengths)
        assert all(low <= high for low, high, _ in histogram)


def test_of_a_large_set_rows_are_looked_at_that_are_spread_over_it(datasets, tmp_path, model):
    add(datasets, tmp_path, [row("q", "a" * (1 + n // 10)) for n in range(500)])
    seen = []
    found = datasets.inspect("a", model, max_length=512, limit=50)
    assert found.rows == 500 and found.examined == 50 and max(found.lengths) - min(found.lengths) > 40
    datasets.inspect("a", model, max_length=512, limit=250, watch=seen.append)
    assert seen == [100, 200]


def test_rows_that_the_models_template_refuses_are_told(datasets, tmp_path):
    strict = save(byte_level(264), tmp_path / "strict", template=UNMARKED["Gemma"])
    system = {"messages": [{"role": "system", "content": "s"}, *row("q", "a")["messages"]]}
    add(datasets, tmp_path, [row("q", "a"), system])
    found = datasets.inspect("a", strict, max_length=100)
    assert found.refused_count == 1 and found.refused[0][0] == 2 and "System role" in found.refused[0][1]
    assert "1 of 2 rows cannot be written for this model, the first in row 2" in found.warnings[0]


def test_a_foreign_template_that_never_ends_is_stopped(datasets, tmp_path):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    hostile = save(byte_level(264), tmp_path / "hostile", template=endless)
    add(datasets, tmp_path, [row("q", "a")])
    with pytest.raises(ModelError, match="did not finish"):
        datasets.inspect("a", hostile, max_length=100)


def test_rows_too_long_for_a_model_can_be_left_out(datasets, tmp_path, model):
    add(datasets, tmp_path, [row("q", "a" * n) for n in (1, 5, 6, 50)])
    info = datasets.filtered("a", "short", longest=FRAME + 1 + 5, model_folder=model)
    assert info.rows == 2 and [record.row for record in datasets.records("short")] == [1, 2]


def test_documents_are_learned_whole(datasets, tmp_path, model):
    add(datasets, tmp_path, [{"text": "abc <|user|>"}, {"text": "defgh"}])
    found = datasets.inspect("a", model, max_length=8)
    assert found.lengths == [12, 5] and found.loss_share == 1.0 and found.cut == 0
    assert not found.warnings and "does not learn to answer" in found.expectation


def test_pairs_and_problems_have_lengths_too(datasets, tmp_path, model):
    add(datasets, tmp_path, [{"prompt": "qq", "chosen": "aaa", "rejected": "b"}], "p")
    add(datasets, tmp_path, [{"question": "qq", "answer": "so\n#### 4"}], "m")
    assert datasets.inspect("p", model, max_length=99).lengths == [FRAME + 5]
    assert datasets.inspect("m", model, max_length=99).lengths == [FRAME + 4]


def test_what_can_be_expected_depends_on_the_model_and_the_rows():
    small, large = expectation(1_340_000, 300), expectation(7_000_000_000, 300)
    assert small.startswith("A model of 1.3 million parameters learns the form") and "few facts" in small
    assert "7.0 billion" in large and "300 different rows are enough to answer new questions" in large
    assert "by heart" in expectation(1_340_000, 5) and "manner of speaking" in expectation(1_340_000, 50)


def test_the_tiny_model_of_the_tests(datasets, tmp_path, tiny_model):
    add(datasets, tmp_path, [row(f"Who is {n}?", f"The answer is {n}.") for n in range(30)])
    found = datasets.inspect("a", tiny_model, max_length=64)
    assert found.examined == 30 and found.loss_tokens > 0 and "parameters learns the form" in found.expectation
    assert not found.warnings
