"""Files from the field, where they lie beside the checkout: what is taken of each, and that nothing is passed over."""

from collections import Counter
from pathlib import Path

import pytest

from lab.errors import DataError
from lab.readers import Reading

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the files from the field are not here")

# file: format, rows of the file, rows taken, examples, kinds of problems
EXPECTED = {
    "fastchat/dummy_conversation.json": ("sharegpt", 500, 500, 500, {}),
    "gsm8k/test.jsonl": ("problems", 1319, 1319, 1319, {}),
    "llamafactory/alpaca_en_demo.json": ("alpaca", 999, 999, 999, {}),
    "llamafactory/c4_demo.jsonl": ("documents", 300, 300, 300, {}),
    "llamafactory/dpo_en_demo.json": ("chosen_rejected", 300, 300, 300, {}),
    "llamafactory/glaive_toolcall_en_demo.json": ("sharegpt", 300, 300, 300, {}),
    "llamafactory/identity.json": ("alpaca", 91, 91, 91, {}),
    "llamafactory/kto_en_demo.json": ("kto_good", 300, 150, 150, {"labelled bad": 150}),
    "llamafactory/v1_sft_demo.jsonl": ("messages", 500, 500, 500, {}),
    "llamafactory/wiki_demo.txt": ("text", 30, 30, 252, {}),
    "names/names.txt": ("lines", 32033, 32033, 32033, {}),
    "oasst/en_100_message.jsonl": ("oasst", 100, 100, 100, {}),
    "oasst/en_100_tree.jsonl": ("oasst", 100, 100, 100, {}),
    "odd/axolotl_alpaca.json": ("alpaca", 2, 2, 2, {}),
    "odd/axolotl_conversation.json": ("sharegpt", 1, 1, 1, {}),
    "odd/axolotl_conversation.missingturns.json": ("sharegpt", 1, 0, 0, {"empty reply": 1}),
    "odd/llamafactory_mllm_demo.json": ("messages", 6, 0, 0, {"pictures, sound or files": 6}),
    "odd/llamafactory_v1_multimodal_demo.jsonl": ("messages", 24, 0, 0, {"pictures, sound or files": 24}),
    "odd/torchtune_alpaca_tiny.json": ("alpaca", 100, 100, 100, {}),
    "odd/torchtune_chat_tiny.json": ("sharegpt", 1, 1, 1, {}),
    "odd/torchtune_hh_rlhf_tiny.json": ("chosen_rejected", 1, 1, 1, {}),
    "openai_chat/toy_chat_fine_tuning.jsonl": ("messages", 10, 7, 7, {"begins with the assistant": 3}),
    "svamp/SVAMP.json": ("problems", 1000, 1000, 1000, {}),
    "tinyshakespeare/input.txt": ("text", 32777, 32777, 263, {}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_taken_of_a_real_file(name):
    format, total, taken, rows, problems = EXPECTED[name]
    reading = Reading(DATA / name)
    examples = list(reading)
    report = reading.report
    assert (report.format, report.total, report.rows_taken, len(examples)) == (format, total, taken, rows)
    assert report.problems.counts() == problems and report.confidence == 1.0
    assert report.total == report.rows_taken + len(report.problems)
    if format not in ("oasst", "text", "lines"):
        assert max(Counter(example.row for example in examples).values(), default=1) == 1


def test_the_empty_first_reply_can_be_put_right():
    reading = Reading(DATA / "odd/axolotl_conversation.missingturns.json", fix=True)
    (example,) = reading
    assert "turn 2, which is empty, was left out" in reading.report.fixed[0].what
    assert len(example.messages) % 2 == 0


def test_trees_give_more_by_every_path_and_pairs_by_their_ranks():
    every, pairs = (Reading(DATA / "oasst/en_100_tree.jsonl", name) for name in ("oasst_all", "oasst_pairs"))
    assert len(list(every)) > 400 and every.report.rows_taken == 100
    assert len(list(pairs)) > 100 and pairs.report.kind == "preferences"


def test_questions_without_answers_and_web_archives_are_refused():
    with pytest.raises(DataError, match="questions but no answers"):
        Reading(DATA / "fastchat/mt_bench_question.jsonl")
    archives = sorted((DATA / "warc").glob("*arc*"))
    assert len(archives) > 10
    for path in archives:
        with pytest.raises(DataError, match="web archive"):
            Reading(path)
