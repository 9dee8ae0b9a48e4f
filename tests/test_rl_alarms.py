"""Alarms of reinforcement learning: each by a failure planted for it, none in a run that goes well."""

import math

import pytest

from lab.rl_alarms import rl_alarms, rl_reading

STEPS = list(range(1, 41))


def well(**changes):
    """The curves of a run that goes well, some of them replaced."""
    curves = {
        "reward/mean": (STEPS, [0.4 + 0.5 * (1 - math.exp(-step / 10)) for step in STEPS]),
        "loss/policy": (STEPS, [0.01 * (-1) ** step for step in STEPS]),
        "kl/reference": ([1, 5, 10, 20, 40], [0.0, 0.3, 0.8, 1.5, 2.0]),
        "entropy/policy": (STEPS, [0.1 * math.exp(-step / 30) for step in STEPS]),
        "share/signal": (STEPS, [0.9 - 0.01 * step for step in STEPS]),
        "share/cut": (STEPS, [0.02] * 40),
        "length/completion": (STEPS, [30.0] * 40),
        "accuracy/heldout": ([0, 10, 20, 30, 40], [0.5, 0.7, 0.85, 0.84, 0.86]),
        "accuracy/begun": ([0, 10, 20, 30, 40], [0.8, 0.82, 0.85, 0.84, 0.86]),
    }
    curves |= {name.replace("_", "/", 1): points for name, points in changes.items()}
    return lambda name: curves.get(name, ([], []))


def test_a_run_that_goes_well_has_no_alarm():
    assert rl_alarms(well()) == []


@pytest.mark.parametrize(
    ("name", "points", "step", "says", "way_out"),
    [
        ("loss_policy", (STEPS, [0.0] * 20 + [math.nan] * 20), 21, "not a number", "smaller learning rate"),
        ("kl_reference", ([1, 10, 20], [0.0, 4.0, 14.0]), 20, "run away", "KL coefficient"),
        ("share_cut", (STEPS, [0.0] * 9 + [0.5] * 31), 12, "cut off", "max_new_tokens"),
        ("share_unjudged", (STEPS, [0.9] * 40), 1, "fails", "function"),
        ("share_signal", (STEPS, [0.0] * 40), 5, "hardly anything is learned", "easier problems"),
        ("accuracy_heldout", ([0, 10, 20, 30, 40], [0.5, 0.8, 0.6, 0.55, 0.5]), 10, "held-out accuracy", "checkpoint"),
        ("reward_gold", (STEPS, [1 - abs(step - 15) / 20 for step in STEPS]), 17, "fooled", "KL coefficient"),
    ],
)
def test_a_planted_failure_is_told_with_a_way_out(name, points, step, says, way_out):
    (alarm,) = rl_alarms(well(**{name: points}))
    assert abs(alarm.step - step) <= 1
    assert says in alarm.text and way_out in alarm.text


def test_a_collapse_of_the_entropy():
    entropy = (STEPS, [0.1 if step < 12 else 0.002 for step in STEPS])
    assert rl_alarms(well(entropy_policy=entropy)) == []  # the groups still differ
    (alarm,) = rl_alarms(well(entropy_policy=entropy, share_signal=(STEPS, [0.9] * 11 + [0.2] * 29)))
    assert alarm.step == 14 and "collapsed" in alarm.text and "clip_high" in alarm.text


def test_a_reward_and_a_gold_score_that_fall_together_are_not_cheating():
    falling = [1 - step / 50 for step in STEPS]
    assert rl_alarms(well(reward_mean=(STEPS, falling), reward_gold=(STEPS, falling))) == []


def test_other_runs_are_none_of_its_business():
    nothing = lambda name: ([], [])  # noqa: E731
    assert rl_alarms(nothing) == [] and rl_reading(nothing, 10) == ""
    labels = {"reward/chosen": (STEPS, [1.0] * 40), "accuracy/heldout": ([0, 10, 20, 30], [0.9, 0.5, 0.4, 0.3])}
    assert rl_alarms(lambda name: labels.get(name, ([], []))) == []


def test_the_reading():
    assert rl_reading(well(), 40) == (
        "Step 40 of 40: mean reward 0.89 (it began at 0.49). Of held-out problems 86% are right, 50% before training; "
        "when the start of a worked answer is given, 86% against 80%: the rest of the gain is that it now works its "
        "answers out. The policy is 2.0 nats per completion away from where it started."
    )
