"""What the pages call around their loops."""

import itertools
import math

import pytest
import torch

from lab.checkpoint import Checkpoints
from lab.config import SFTConfig
from lab.errors import ConfigError, RunError
from lab.events import list_reporter
from lab.model import load_model, save_model
from lab.run_dir import RunDir
from lab.training import TrainingRun, make_accelerator, measured, require_finite


def a_run(folder=None, **changes):
    config = SFTConfig(device="cpu", **changes)
    events = []
    run = TrainingRun(
        config, make_accelerator(config), list_reporter(events), Checkpoints(None, save_model), None, folder
    )
    return run, events


def test_when_something_is_due():
    run, _ = a_run(max_steps=10)
    assert [step for step in range(11) if run.is_due(step, 4)] == [0, 4, 8, 10]
    assert [step for step in range(11) if run.is_due(step, 0)] == [10]


def test_a_batch_in_parts_holds_every_example_once(tiny_model):
    run, _ = a_run(batch_size=7, gradient_accumulation=3)
    parts = list(run.parts(list(range(7)), load_model(tiny_model)))
    assert sorted(number for part in parts for number in part) == list(range(7))
    assert sorted(map(len, parts)) == [2, 2, 3]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(RunError, match="2 training processes were asked for and 1 came up"):
        make_accelerator(SFTConfig(device="cpu", processes=2))
    with pytest.raises(ConfigError, match="gradient_accumulation"):
        SFTConfig(batch_size=2, gradient_accumulation=3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_said():
    with pytest.raises(ConfigError, match="'cuda', and torch finds no such device"):
        make_accelerator(SFTConfig(device="cuda"))


def test_wishes_are_files_and_stopping_beats_pausing(tmp_path):
    folder = RunDir(tmp_path)
    run, events = a_run(folder)
    assert run.wish() == ""
    folder.request_pause()
    assert run.wish() == "pause"
    folder.request_stop()
    assert run.wish() == "stop"
    assert run.pause(3) == "stop"
    assert [event.type for event in events] == ["paused", "continued"]
    assert a_run()[0].wish() == ""


@pytest.mark.parametrize(("loss", "norm", "what"), [(math.nan, 1.0, "loss"), (1.0, math.inf, "gradient")])
def test_a_step_that_would_ruin_the_model_is_not_taken(loss, norm, what):
    require_finite(1, 2.0, 3.0, 1e-3)
    with pytest.raises(RunError, match=f"The {what} is not a finite number at step 7") as raised:
        require_finite(7, loss, norm, 1e-3)
    assert "for instance to 0.0002" in raised.value.__notes__[0]


def test_measuring_takes_about_a_tenth_of_the_time():
    config = SFTConfig(eval_every=10, batch_size=16)
    rows = list(range(200))
    some = measured(rows, config, config.batch_size)
    # ten steps train on 160 rows; 48 rows measured cost as much as 16 trained on
    assert len(some) == 48
    assert some == sorted(set(some))
    assert max(b - a for a, b in itertools.pairwise(some)) <= 5
    assert measured(rows[:30], config, config.batch_size) == rows[:30]
    assert measured(rows, config.replace(eval_every=0), config.batch_size) == rows
