"""The event log: what is written is read back, also after a torn line, and never twice."""

import json
import math

import pytest

from lab.events import METRICS, Event, FileSink, RunReporter, last_event, list_reporter, read_events


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events.jsonl"


def test_events_are_read_back_in_order_and_only_once(log):
    report = RunReporter(FileSink(log))
    report.metrics(1, {"loss/train": 2.5})
    report.sample(1, "Hello", 'there </script>\n"é\u2028')
    first, offset = read_events(log)
    report.finished(1)
    second, end = read_events(log, offset)
    assert [(event.seq, event.type) for event in first + second] == [(1, "metrics"), (2, "sample"), (3, "finished")]
    assert first[1].fields["text"] == 'there </script>\n"é\u2028'
    assert read_events(log, end) == ([], end)


def test_infinite_and_undefined_numbers_stay_valid_json(log):
    report = RunReporter(FileSink(log))
    report.metrics(3, {"loss/train": math.nan, "grad_norm": math.inf, "tokens": -math.inf})
    line = log.read_text()
    assert json.loads(line, parse_constant=pytest.fail)["values"] == {
        "loss/train": "nan",
        "grad_norm": "inf",
        "tokens": "-inf",
    }


def test_a_line_being_written_is_left_for_the_next_call(log):
    FileSink(log)("message", {"text": "whole"})
    whole = log.stat().st_size
    with log.open("ab") as file:
        file.write(b'{"seq": 2, "time": 1, "ty')
    events, offset = read_events(log)
    assert [event.seq for event in events] == [1]
    assert offset == whole


def test_a_second_attempt_goes_on_counting_and_cuts_off_a_torn_line(log):
    FileSink(log)("message", {"text": "one"})
    with log.open("ab") as file:
        file.write(b'{"seq": 2, "ti')
    FileSink(log, attempt=2)("message", {"text": "two"})
    events, _ = read_events(log)
    assert [(event.seq, event.attempt) for event in events] == [(1, 1), (2, 2)]
    assert log.read_bytes().count(b"\n") == 2


def test_a_line_that_is_no_event_is_passed_over(log):
    log.write_bytes(b"\n[1]\n17\nnull\nnoise\n" + Event(1, 0.0, "finished", 1, {"step": 4}).to_line())
    events, _ = read_events(log)
    assert [event.type for event in events] == ["finished"]


def test_the_last_event_of_some_types(log):
    sink = FileSink(log)
    for type in ("metrics", "checkpoint", "metrics"):
        sink(type, {"step": 1})
    assert last_event(log).seq == 3
    assert last_event(log, {"checkpoint"}).seq == 2
    assert last_event(log, {"failed"}) is None
    assert last_event(log.with_name("missing")) is None


def test_a_limited_read_ends_at_a_line(log):
    sink = FileSink(log)
    for _ in range(50):
        sink("message", {"text": "x" * 40})
    seen, offset = [], 0
    while True:
        events, offset = read_events(log, offset, limit=300)
        if not events:
            break
        assert 1 <= len(events) <= 4
        seen += [event.seq for event in events]
    assert seen == list(range(1, 51))


def test_a_metric_that_nobody_explained_is_an_error():
    events: list[Event] = []
    with pytest.raises(KeyError, match="not a metric"):
        list_reporter(events).metrics(1, {"loss/mystery": 1.0})
    assert not events
    assert all(text.endswith(".") for text in METRICS.values())
