"""Rewards by their names, and a person's own function in its child process."""

import math
import os
import time

import pytest

from lab.errors import ConfigError, DataError
from lab.rewards import FunctionReward, Rewards, Sample, Score, make_reward, model_references, title
from lab.world import World

RIGHT = Sample("What is 1 + 1?", "The answer is 2.", "2")
WRONG = Sample("What is 1 + 1?", "The answer is 3.", "2")
CUT = Sample("What is 1 + 1?", "The answer is 2", "2", ended=False)


def values(spec, *samples, **options):
    return [score.value for score in make_reward(spec, **options)(samples)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("exact_answer", [1, 0, 0]),
        ("gold", [1, 0, 0]),
        ("ends", [1, 1, 0]),
        ("length:2", [0, 0, 0]),
        ("length:4", [1, 1, 1]),
        (r"matches:The answer is \d\.", [1, 1, 0]),
        ("contains:3", [0, 1, 0]),
        ([["exact_answer", 1.0], ["ends", 0.5]], [1.5, 0.5, 0]),
        ((("exact_answer", 2), ("length:4", -1)), [1, -1, -1]),
    ],
)
def test_rewards_by_name(spec, expected):
    assert values(spec, RIGHT, WRONG, CUT) == expected


def test_a_sum_says_what_its_parts_said():
    (score,) = make_reward([["exact_answer", 1.0], ["length:4", 0.5]])([RIGHT])
    assert score == Score(1.5, "", {"exact_answer": 1.0, "length:4": 1.0})
    assert title([["exact_answer", 1.0], ["length:4", 0.5]]) == "1 × exact_answer + 0.5 × length:4"


@pytest.mark.parametrize("spec", ["", "exactly", "length:", "length:0", "matches:(", [], [["exact_answer"]], 3, None])
def test_what_is_no_reward_is_refused(spec):
    with pytest.raises(ConfigError) as raised:
        make_reward(spec)
    assert raised.value.field == "reward"


def test_a_reward_model_is_asked_through_what_the_caller_gives():
    asked = []

    def model_reward(reference):
        asked.append(reference)
        return lambda samples: [Score(len(sample.completion)) for sample in samples]

    assert values([["run:abc", 0.5], ["ends", 1]], RIGHT, model_reward=model_reward) == [9.0]
    assert asked == ["run:abc"] == model_references([["run:abc", 0.5], ["ends", 1]])
    with pytest.raises(ConfigError, match="cannot be asked here"):
        make_reward("run:abc")


def test_the_gold_score_of_stories_is_the_worlds():
    for pair in World().preferences(20):
        assert values("gold", Sample(pair.prompt, pair.chosen)) == [pair.chosen_quality]
        assert values("gold", Sample(pair.prompt, pair.rejected)) == [pair.rejected_quality]
    assert math.isnan(values("gold", Sample("Who are you?", "I am Nudge."))[0])


def test_a_sample_from_a_mapping():
    assert Sample.of({"prompt": "a", "completion": "b"}) == Sample("a", "b")
    with pytest.raises(DataError, match="`prompt` and `completion`"):
        Sample.of({"prompt": "a"})


def test_a_reward_is_tried_before_it_is_trained_on():
    class Inference:
        def reward(self, model, conversations):
            return [len(messages[-1]["content"]) / 10 for messages in conversations]

    rewards = Rewards(Inference)
    rows = [{"prompt": "What is 1 + 1?", "completion": "The answer is 2.", "answer": "2"}, WRONG]
    assert [score.value for score in rewards.try_on("exact_answer", rows)] == [1, 0]
    assert [score.value for score in rewards.try_on("run:abc", rows)] == [1.6, 1.6]
    source = "def reward(completion, answer):\n    return 1 / (answer in completion)"
    right, wrong = rewards.try_on([[source, 2.0], ["run:abc", 1.0]], rows)
    assert right.value == 3.6
    assert wrong.error == "ZeroDivisionError: division by zero (line 2)"


# --- a person's function ---------------------------------------------------------------------------------------------

TROUBLE = '''
import os, sys, time

def reward(completion, answer):
    if completion == "hang":
        while True: pass
    if completion == "print": print("x" * (1 << 24)); sys.stderr.write("y" * (1 << 24))
    if completion == "raise": return 1 / 0
    if completion == "exit": os._exit(3)
    if completion == "sys exit": sys.exit(3)
    if completion == "memory": return len("x" * (4 << 30))
    if completion == "recurse": return reward(completion, answer)
    if completion == "none": return None
    if completion == "nan": return float("nan")
    if completion == "write":
        with open("file.txt", "w") as file: file.write("z" * 1000)
    if completion == "network":
        import socket; socket.create_connection(("127.0.0.1", int(answer)), timeout=1)
    return float(answer == completion)
'''  # fmt: skip


def test_a_function_that_misbehaves_stops_nothing_but_its_own_sample():
    names = ["hang", "ok", "print", "raise", "exit", "sys exit", "memory", "recurse", "none", "write", "ok"]
    with FunctionReward(TROUBLE, seconds=1.5) as reward:
        scores = dict(zip(names, reward([Sample("", name, "ok") for name in names])))
    assert scores.pop("ok") == Score(1.0)
    assert scores.pop("print") == Score(0.0)
    assert all(math.isnan(score.value) and score.error for score in scores.values()), scores
    assert "1.5 seconds" in scores["hang"].error
    assert scores["raise"].error == "ZeroDivisionError: division by zero (line 8)"
    assert "ended its process" in scores["exit"].error
    assert "SystemExit" in scores["sys exit"].error
    assert "RecursionError" in scores["recurse"].error


FORKS = '''
import os, time
def reward(completion):
    if os.fork() == 0:
        time.sleep(60)
    open("/dev/null")
    time.sleep(60)
'''  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="processes fork on POSIX only")
def test_what_a_function_starts_is_killed_with_it(tmp_path):
    started = time.monotonic()
    with FunctionReward(FORKS, seconds=0.5) as reward:
        (score,) = reward([Sample("", "")])
        (again,) = reward([Sample("", "")])
    assert score.error and again.error
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def reward(completion):\n  return (", "SyntaxError"),
        ("import nothing_of_this_name\ndef reward(completion): return 1", "ModuleNotFoundError"),
        ("def reward(completion): return 1\nreward = 3", "no function named `reward`"),
        ("def reward(completion): return 1\nraise SystemExit", "SystemExit"),
    ],
)
def test_a_source_that_cannot_be_used_is_said_at_once(source, why):
    with pytest.raises(ConfigError, match=why), make_reward(source) as reward:
        reward([RIGHT])


def test_a_function_takes_what_it_names():
    with FunctionReward("def reward(answer, ended, prompt): return len(prompt) + ended * len(answer)") as reward:
        assert [score.value for score in reward([RIGHT, CUT])] == [15.0, 14.0]
    with FunctionReward("def reward(**all): return len(all)") as reward:
        assert reward([RIGHT]) == [Score(5.0)]
