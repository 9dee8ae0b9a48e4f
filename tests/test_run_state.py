"""The fold of a run's events into its state."""

import math

import pytest

from lab.events import Event
from lab.run_state import RunState, outcome_of

STARTED = {"total_steps": 10, "world_size": 1, "device": "cpu", "parameters": 5, "trainable_parameters": 3}


def fold(*events):
    """The state after (time, type, fields[, attempt]) events."""
    state = RunState()
    for seq, (time, type, fields, *attempt) in enumerate(events, 1):
        state.take(Event(seq, time, type, attempt[0] if attempt else 1, fields))
    return state


def metrics(step, **values):
    return {"step": step, "values": values}


def test_the_states_of_a_run_that_pauses_and_finishes():
    events = [
        (0, "message", {"text": "loading"}),
        (5, "started", STARTED),
        (6, "metrics", metrics(1, loss=2.0)),
        (7, "paused", {"step": 1}),
        (100, "continued", {"step": 1}),
        (101, "metrics", metrics(2, loss=1.0)),
        (103, "finished", {"step": 2}),
    ]
    seen = [fold(*events[: n + 1]).status for n in range(len(events))]
    assert seen == ["starting", "running", "running", "paused", "running", "running", "finished"]
    state = fold(*events)
    assert (state.started, state.ended, state.step, state.total_steps) == (5, 103, 2, 10)
    assert state.active == (6 - 5) + (7 - 6) + (101 - 100) + (103 - 101)  # not the loading, not the pause


def test_the_time_left_is_the_steps_left_at_the_pace_of_this_attempt():
    state = fold(
        (0, "started", STARTED),
        (20, "metrics", metrics(1)),  # the first step warms up: not part of the pace
        (22, "metrics", metrics(2)),
        (24, "metrics", metrics(3)),
    )
    assert state.seconds_left == (10 - 3) * 2.0
    assert fold((0, "started", STARTED), (20, "metrics", metrics(1))).seconds_left is None
    state.take(Event(9, 25.0, "stopped", 1, {"step": 3}))
    assert state.seconds_left is None


def test_a_resume_begins_anew_but_keeps_counting_time():
    state = fold(
        (0, "started", STARTED),
        (1, "metrics", metrics(1)),
        (2, "failed", {"step": 1, "error": "broke", "advice": "mend"}),
        (50, "started", STARTED, 2),
        (53, "metrics", metrics(1), 2),
    )
    assert (state.status, state.attempt, state.error, state.ended) == ("running", 2, "", None)
    assert state.active == 2 + 3
    assert state.attempts[1].first_seq == 2 and state.attempts[2].first_seq == 5


def test_a_clock_that_goes_back_takes_no_time_away():
    state = fold(
        (100, "started", STARTED),
        (101, "metrics", metrics(1)),
        (40, "metrics", metrics(2)),
        (42, "metrics", metrics(3)),
    )
    assert state.active == 1 + 0 + 2


def test_curves_are_summed_up_by_last_and_smallest_finite_value():
    state = fold(
        (0, "metrics", metrics(1, loss=3.0)),
        (1, "metrics", metrics(2, loss=1.5)),
        (2, "metrics", metrics(3, loss="nan")),
        (3, "metrics", metrics(4, loss="-inf")),
    )
    curve = state.curves["loss"]
    assert (curve.step, curve.value, curve.best) == (4, -math.inf, 1.5)


def test_json_brings_back_the_same_state():
    state = fold(
        (0, "started", STARTED), (1, "metrics", metrics(3, loss="nan", other=2.0)), (2, "metrics", metrics(3), 2)
    )
    again = RunState.from_json(state.to_json())
    assert math.isnan(again.curves["loss"].value)
    again.curves["loss"].value = state.curves["loss"].value = 0.0
    assert again == state


@pytest.mark.parametrize(
    ("about", "events", "status"),
    [
        ({"attempt": 1, "queue": 3}, [], "queued"),
        ({"attempt": 1, "queue": None}, [], "starting"),
        ({"attempt": 1}, [(0, "started", STARTED)], "running"),
        ({"attempt": 1, "outcome": {"attempt": 1, "status": "crashed"}}, [(0, "started", STARTED)], "crashed"),
        # the worker's own last word counts more than what the app thought
        (
            {"attempt": 1, "outcome": {"attempt": 1, "status": "crashed"}},
            [(0, "started", STARTED), (1, "finished", {"step": 9})],
            "finished",
        ),
        # continued: what the attempt before said is over
        ({"attempt": 2, "queue": 1}, [(0, "started", STARTED), (1, "stopped", {"step": 9})], "queued"),
        ({"attempt": 2, "outcome": {"attempt": 1, "status": "crashed"}}, [(0, "started", STARTED)], "starting"),
    ],
)
def test_how_a_run_stands(about, events, status):
    assert outcome_of(about, fold(*events)).status == status
