"""What travels between a plot in the browser and the history."""

import json
import math

import pytest

from lab.errors import ConfigError
from tests.fake_workspace import FakeRun, FakeWorkspace
from ui.plots import TRAINING, finer, plot_value, update

NAMES = [name for chart in TRAINING for name, _ in chart.curves]


@pytest.fixture
def workspace():
    made = FakeWorkspace([FakeRun("r1", status="running", total_steps=100)])
    made.history.curves[("r1", "loss/train")] = (list(range(1, 51)), [4 / step for step in range(1, 51)])
    return made


def ask(workspace, cursor=0):
    return update(workspace, {"runs": {"r1": cursor}, "names": NAMES})["runs"]["r1"]


def test_the_first_question_gives_everything_with_words(workspace):
    news = ask(workspace)
    steps, values = news["series"]["loss/train"]
    assert steps == list(range(1, 51)) and values[:3] == [4.0, 2.0, 1.33333]
    assert news["reading"].startswith("Step 50 of 100") and news["alarms"] == []
    assert not news["ended"] and news["from"] is None


def test_afterwards_only_new_points_travel(workspace):
    cursor = ask(workspace)["cursor"]
    quiet = ask(workspace, cursor)
    assert quiet["series"] == {} and "reading" not in quiet
    assert len(json.dumps(quiet)) < 120
    steps, values = workspace.history.curves[("r1", "loss/train")]
    steps.append(51)
    values.append(0.5)
    assert ask(workspace, cursor)["series"] == {"loss/train": [[51], [0.5]]}


def test_what_is_no_number_travels_as_a_word(workspace):
    workspace.history.curves[("r1", "grad_norm")] = ([1, 2, 3], [math.nan, math.inf, -math.inf])
    assert ask(workspace)["series"]["grad_norm"] == [[1, 2, 3], ["nan", "inf", "-inf"]]


def test_the_end_of_a_run_is_said(workspace):
    workspace.runs.get("r1").status = "failed"
    assert ask(workspace)["ended"]


def test_finer_points_are_asked_for_within_the_zoom(workspace):
    found = finer(workspace, {"run": "r1", "names": ["loss/train"], "low": 10.4, "high": 12})
    assert found["series"]["loss/train"][0] == [11, 12]
    assert workspace.history.calls[-1][3:] == (2000, 10.4, 12.0)


@pytest.mark.parametrize("names", [["loss/train'; drop table runs"], ["name"], [7]])
def test_only_metrics_can_be_asked_for(workspace, names):
    with pytest.raises(ConfigError):
        update(workspace, {"runs": {"r1": 0}, "names": names})


def test_charts_say_what_they_mean():
    value = plot_value([("r1", "<b>x</b>", 2)])
    assert value["runs"] == [{"id": "r1", "name": "<b>x</b>", "colour": 2}]
    assert value["charts"][0]["meaning"].startswith("Mean −log p") and all(c["meaning"] for c in value["charts"])
