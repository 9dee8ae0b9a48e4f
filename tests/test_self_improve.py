"""The self-improvement page: a vote worked out by hand, and a run that never sees an answer."""

import json

import pytest

from lab.algorithms.self_improve import conclusion, four_forms, kept, vote
from lab.config import OptimizerConfig, SelfImproveConfig
from lab.run_dir import RunDir, write_jsonl
from tests.test_sft import StopAt
from tests.tiny import PROBLEMS, series, work_here

QUICK = SelfImproveConfig(
    max_steps=6,
    batch_size=4,
    questions=6,
    samples=6,
    max_new_tokens=8,
    learning_rate=3e-3,
    eval_every=0,
    sample_every=0,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=0),
)


def test_a_vote_by_hand():
    texts = ["The answer is 7.", "First 3+4=7. The answer is 7.0.", "I think 9", "#### 9", "So it is 7", "no idea"]
    conclusions = [conclusion(text) for text in texts]
    assert conclusions == ["7", "7", "9", "9", "7", ""]
    counted = vote(conclusions)
    assert counted.counts == (("7", 3), ("9", 2)) and counted.majority == "7" and counted.share == 3 / 6
    assert kept(conclusions, counted, agreement=0.5) == [0, 1, 4]
    assert kept(conclusions, counted, agreement=0.51) == []


def test_of_equal_votes_the_first_written_wins_and_nothing_has_no_majority():
    assert vote(["4", "5", "5", "4"]).majority == "4"
    assert vote(["", ""]).majority == "" and kept(["", ""], vote(["", ""]), agreement=0.0) == []
    assert conclusion("The answer is 12 and 34.") == "12 and 34"


def test_the_four_forms():
    forms = four_forms("What is 1 + 1?", "1+1=2. The answer is 2.", "2", ("What is 2 + 3?", "2+3=5. It is 5.", "5"))
    assert forms == [
        [("What is 2 + 3?", "2+3=5. It is 5."), ("What is 1 + 1?", "1+1=2. The answer is 2.")],
        [("What is 2 + 3?", "The answer is 5."), ("What is 1 + 1?", "The answer is 2.")],
        [("What is 1 + 1? Let's think step by step.", "1+1=2. The answer is 2.")],
        [("What is 1 + 1?", "1+1=2. The answer is 2.")],
    ]


@pytest.fixture(scope="module")
def counting_model(tiny_model, tmp_path_factory):
    """A model that has learned some sums, and is not sure of them."""
    from lab.config import SFTConfig
    from tests.tiny import make_sft_run

    settings = {"eval_every": 0, "sample_every": 0, "checkpoint_every": 0, "device": "cpu"}
    config = SFTConfig(max_steps=25, batch_size=8, learning_rate=1e-2, **settings)
    run = make_sft_run(tmp_path_factory.mktemp("counting"), tiny_model, config)
    work_here(run)
    return run.model


def make_run(folder, model, config):
    """A run whose problems have no answers at all."""
    run = RunDir.create(folder, config, {"model_folder": str(model), "resume": False})
    write_jsonl(run.data / "train.jsonl", [{"question": row["question"]} for row in PROBLEMS[:8]])
    write_jsonl(run.data / "heldout.jsonl", PROBLEMS[8:])
    return run


@pytest.mark.parametrize("mixed", [False, True])
def test_a_run_never_reads_an_answer(counting_model, tmp_path, mixed):
    run = make_run(tmp_path, counting_model, QUICK.replace(mixed=mixed, eval_every=3))
    events = work_here(run)
    assert events[-1].type == "finished"
    votes = [json.loads(line) for line in (run.path / "votes.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in votes] == [0, 1, 2, 3, 4, 5]
    for row in votes:
        counts = [each["votes"] for each in row["counts"]]
        assert counts == sorted(counts, reverse=True) and sum(counts) <= row["answers"] == 6
    loss = series(events, "loss/train")
    assert loss[6] < loss[1]
    assert list(series(events, "accuracy/heldout")) == [0, 3, 6]


def test_stopped_and_continued_equals_unbroken(counting_model, tmp_path):
    whole, run = (make_run(tmp_path / name, counting_model, QUICK) for name in ("whole", "broken"))
    unbroken = work_here(whole)
    before = StopAt(run, 3).work()
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("loss/train", "grad_norm", "tokens"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert (whole.path / "votes.jsonl").read_bytes() == (run.path / "votes.jsonl").read_bytes()
