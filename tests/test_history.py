"""The history: curves against a plain reading of the events, increments, runs, notes, export."""

import math
import random

import pandas as pd
import pytest

from lab.errors import ConfigError, LabError, RunError
from tests.parts import Parts, append_events, make_run, metrics, settings, started


@pytest.fixture
def parts(tmp_path):
    parts = Parts(tmp_path)
    parts.history.caught_up.set()
    yield parts
    parts.index.close()


def make(parts, *events, **values):
    run = make_run(parts.folder / "runs", events, **values)
    parts.index.take(run)
    return run


def same(found, expected):
    """Whether two series are equal, nan being equal to nan."""
    return found[0] == expected[0] and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found[1], expected[1], strict=True)
    )


# --- curves ----------------------------------------------------------------------------------------------------------


def test_a_curve_has_every_number_finite_or_not(parts):
    run = make(parts, metrics(1, loss=2.0), metrics(2, loss="nan"), metrics(3, loss="inf"), metrics(4, loss="-inf"))
    assert same(parts.history.series(run.id, "loss/train"), ([1, 2, 3, 4], [2.0, math.nan, math.inf, -math.inf]))
    assert parts.history.series(run.id, "no such name") == ([], [])
    with pytest.raises(RunError, match="no run"):
        parts.history.series("elsewhere", "loss/train")


def test_after_low_and_high_choose_steps(parts):
    run = make(parts, *[metrics(step, loss=float(step)) for step in range(10)])
    assert parts.history.series(run.id, "loss/train", after=7)[0] == [8, 9]
    assert parts.history.series(run.id, "loss/train", after=9)[0] == []
    assert parts.history.series(run.id, "loss/train", low=2.5, high=5)[0] == [3, 4, 5]
    assert parts.history.series(run.id, "loss/train", after=3, low=2, high=5)[0] == [4, 5]


def test_a_resume_takes_back_what_lay_beyond_it(parts):
    # Killed at step 5, continued from the checkpoint of step 2; so far it has come to step 4.
    first = [metrics(step, loss=10.0 + step) for step in range(1, 6)]
    second = [(*metrics(step, loss=20.0 + step), 2) for step in (3, 4)]
    run = make(parts, *first, *second)
    assert parts.history.series(run.id, "loss/train") == ([1, 2, 3, 4], [11.0, 12.0, 23.0, 24.0])
    # Continued once more, from step 1: the second attempt goes too.
    append_events(run, [(*metrics(2, loss=32.0), 3)])
    parts.index.take(run)
    assert parts.history.series(run.id, "loss/train") == ([1, 2], [11.0, 32.0])
    assert parts.history.sql("select count(*) as n from metrics").n[0] == 8  # nothing is thrown away


def test_held_out_points_at_the_resumed_step_stay(parts):
    # The second attempt begins with step 3; the held-out loss of step 3 comes after the training loss of step 3.
    first = [metrics(step, loss=1.0, heldout=2.0) for step in range(1, 6)]
    run = make(parts, *first, (*metrics(3, loss=5.0), 2))
    assert parts.history.series(run.id, "loss/heldout") == ([1, 2, 3], [2.0, 2.0, 2.0])
    append_events(run, [(*metrics(3, heldout=7.0), 2)])
    parts.index.take(run)
    assert parts.history.series(run.id, "loss/heldout") == ([1, 2, 3], [2.0, 2.0, 7.0])


def test_few_points_show_every_extreme(parts):
    chance = random.Random(5)
    values = {step: chance.gauss(3, 0.1) for step in range(5000)}
    values |= {777: 95.0, 1500: -4.0, 2000: "nan", 2001: "inf", 4000: "-inf"}
    run = make(parts, *[metrics(step, loss=value) for step, value in values.items()])
    steps, found = parts.history.series(run.id, "loss/train", max_points=500)
    assert 400 < len(steps) <= 500
    assert steps == sorted(set(steps)) and (steps[0], steps[-1]) == (0, 4999)
    points = dict(zip(steps, found))
    assert points[777] == 95.0 and points[1500] == -4.0
    assert math.isnan(points[2000]) and points[2001] == math.inf and points[4000] == -math.inf
    for step, value in points.items():
        assert value == values[step] or step in (2000, 2001, 4000)


def test_of_every_bucket_the_smallest_and_the_largest_are_kept(parts):
    chance = random.Random(1)
    values = [chance.random() for _ in range(1000)]
    run = make(parts, *[metrics(step, loss=value) for step, value in enumerate(values)])
    # 22 points: both ends, and 10 buckets of 100 steps
    points = dict(zip(*parts.history.series(run.id, "loss/train", max_points=22)))
    expected = {0, 999}
    for bucket in range(10):
        steps = range(bucket * 100, bucket * 100 + 100)
        expected |= {min(steps, key=lambda step: values[step]), max(steps, key=lambda step: values[step])}
    assert set(points) == expected


@pytest.mark.parametrize("max_points", [2, 3, 7, 50])
@pytest.mark.parametrize("odd", [0.0, 0.02, 1.0])
def test_there_are_never_more_points_than_asked_for(parts, max_points, odd):
    chance = random.Random(2)
    kinds = ["nan", "inf", "-inf"]
    values = [chance.choice(kinds) if chance.random() < odd else chance.random() for _ in range(300)]
    run = make(parts, *[metrics(3 * step, loss=value) for step, value in enumerate(values)])
    steps, _ = parts.history.series(run.id, "loss/train", max_points=max_points)
    assert 2 <= len(steps) <= max(max_points, 7)
    if max_points >= 7:
        assert len(steps) <= max_points
    zoomed = parts.history.series(run.id, "loss/train", max_points=50, low=30, high=60)[0]
    assert zoomed == list(range(30, 61, 3))


def test_one_point_is_no_curve(parts):
    run = make(parts, metrics(1, loss=1.0))
    with pytest.raises(ConfigError, match="at least 2"):
        parts.history.series(run.id, "loss/train", max_points=1)


# --- increments ------------------------------------------------------------------------------------------------------


class Plot:
    """What a browser has drawn, updated as lab/history.py says."""

    def __init__(self, history, run_id, names):
        self.history, self.run_id, self.names = history, run_id, names
        self.cursor, self.points, self.sent = 0, {name: {} for name in names}, 0

    def update(self):
        update = self.history.series_update(self.run_id, self.names, self.cursor)
        for name, (steps, values) in update["series"].items():
            kept = self.points[name]
            if update["from"] is not None:
                kept = {step: value for step, value in kept.items() if step < update["from"]}
            self.points[name] = kept | dict(zip(steps, values))
            self.sent += len(steps)
        self.cursor = update["cursor"]


def test_a_plot_fed_with_increments_equals_the_whole_curve(parts):
    names = ["loss/train", "loss/heldout"]
    run = make(parts, started())
    plot = Plot(parts.history, run.id, names)
    chance, step, attempt = random.Random(3), 0, 1
    for _ in range(60):
        events = []
        if chance.random() < 0.15 and step > 3:  # killed, and continued from some checkpoint
            step, attempt = max(0, step - chance.randint(0, 6)), attempt + 1
            events.append((*started(), attempt))
        for _ in range(chance.randint(0, 4)):
            step += 1
            events.append((*metrics(step, loss=attempt * 1000.0 + step), attempt))
            if step % 3 == 0:
                events.append((*metrics(step, heldout=attempt * 1000.0 + step), attempt))
        append_events(run, events)
        parts.index.take(run)
        if chance.random() < 0.7:
            plot.update()
    plot.update()
    assert attempt > 3
    for name in names:
        steps, values = parts.history.series(run.id, name)
        drawn = sorted(plot.points[name].items())
        assert drawn == list(zip(steps, values))


def test_what_travels_depends_on_the_new_points_only(parts):
    run = make(parts, *[metrics(step, loss=1.0) for step in range(5000)])
    plot = Plot(parts.history, run.id, ["loss/train"])
    plot.update()
    assert plot.sent <= 2000
    before = plot.sent
    append_events(run, [metrics(5000, loss=2.0), metrics(5001, loss="nan")])
    parts.index.take(run)
    plot.update()
    assert plot.sent - before == 2
    plot.update()
    assert plot.sent - before == 2


def test_samples_come_in_increments_and_once(parts):
    def sample(step, text, attempt=1):
        return ("sample", {"step": step, "prompt": "Hi", "text": text}, attempt)

    run = make(parts, started(), sample(0, "a"), metrics(5, loss=1.0), sample(5, "b"), sample(9, "gone"))
    assert parts.history.samples(run.id).text.tolist() == ["a", "b", "gone"]
    append_events(run, [(*metrics(5, loss=1.0), 2), sample(5, "c", 2)])
    parts.index.take(run)
    found = parts.history.samples(run.id)
    assert list(zip(found.step, found.text, found.attempt)) == [(0, "a", 1), (5, "c", 2)]
    assert parts.history.samples(run.id, after_seq=5).text.tolist() == ["c"]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_the_list_of_runs(parts):
    first = make(parts, started(7), metrics(1, loss=3.0, heldout=2.5), metrics(2, loss="nan", heldout=2.75), name="one")
    make(parts, batch_size=4)
    runs = parts.history.runs().set_index("id")
    row = runs.loc[first.id]
    assert (row["name"], row["algorithm"], row["status"], row["model"]) == ("one", "sft", "running", f"run:{first.id}")
    assert (row["parent"], row["dataset"], row["step"], row["total_steps"]) == ("bundled:base", "chats", 2, 7)
    assert math.isnan(row["loss"]) and row["best_heldout_loss"] == 2.5
    assert row["duration"] == 1.0  # two metrics half a second apart from `started` and each other
    assert row["created"] == pd.Timestamp("2023-11-14 22:13:20")
    assert row["tags"] == [] and row["note"] == ""
    assert sorted(runs["config.batch_size"]) == [4, 16]
    assert set(runs["config.optimizer.beta1"]) == {0.9}
    assert parts.history.names(first.id) == ["loss/heldout", "loss/train"]


def test_an_empty_workspace_has_an_empty_list(parts):
    assert len(parts.history.runs()) == 0
    assert parts.history.sql("select * from runs").empty


def test_the_best_loss_does_not_count_what_a_resume_took_back(parts):
    run = make(parts, metrics(1, heldout=3.0), metrics(2, heldout=1.0), (*metrics(2, heldout=2.0), 2))
    assert parts.history.runs().best_heldout_loss.tolist() == [2.0]
    append_events(run, [(*metrics(3, heldout=1.5), 2)])
    parts.index.take(run)
    assert parts.history.runs().best_heldout_loss.tolist() == [1.5]


def test_settings_that_differ(parts):
    ids = [make(parts, learning_rate=rate, seed=seed).id for rate, seed in ((1e-3, 1), (1e-3, 2), (1e-4, 2))]
    table = parts.history.compare_configs(ids)
    assert table.index.tolist() == ["learning_rate", "seed"]
    assert table.loc["seed"].tolist() == [1, 2, 2]
    assert table.columns.tolist() == ids
    assert parts.history.compare_configs(ids[:1]).empty


def test_notes_are_kept_apart_from_what_can_be_rebuilt(parts, tmp_path):
    run = make(parts, name="first name")
    parts.history.annotate(run.id, tags=["good", "good", "long"], note="<b>look</b>")
    parts.history.annotate(run.id, name="second name")
    row = parts.history.runs().iloc[0]
    assert (row["tags"], row["note"], row["name"]) == (["good", "long"], "<b>look</b>", "second name")
    assert parts.history.sql("select id from runs where list_contains(tags, 'long')").id.tolist() == [run.id]
    parts.history.annotate(run.id, tags=[], note="")
    parts.index.close()
    (tmp_path / "history.duckdb").unlink()
    again = Parts(tmp_path)
    again.ingest.catch_up()
    again.history.caught_up.set()
    row = again.history.runs().iloc[0]
    assert (row["tags"], row["note"], row["name"]) == ([], "", "second name")
    again.index.close()


def test_folding_twice_counts_once(parts):
    run = make(parts)
    parts.history.annotate(run.id, note="a")
    parts.index.fold(parts.journal)
    parts.index.fold(parts.journal)
    assert len(parts.index.read("select * from annotations")) == 1
    with pytest.raises(RunError):
        parts.history.annotate("no-such-run", note="a")
    assert len(parts.journal.actions()) == 1


@pytest.mark.parametrize(("format", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_export(parts, tmp_path, format, read):
    ids = [make(parts, metrics(1, loss=1.0, grad_norm="inf"), metrics(2, loss="nan")).id for _ in range(2)]
    table = read(parts.history.export(ids, tmp_path / f"out.{format}", format))
    assert table.columns.tolist() == ["run_id", "name", "step", "value"]
    assert table.run_id.tolist() == [ids[0]] * 3 + [ids[1]] * 3
    assert table.name.tolist()[:3] == ["grad_norm", "loss/train", "loss/train"]
    assert table.value.tolist()[0] == math.inf and math.isnan(table.value.tolist()[2])
    with pytest.raises(LabError):
        parts.history.export(ids, tmp_path / "out", "xlsx")
    with pytest.raises(LabError):
        parts.history.export([], tmp_path / "out")


def test_sql_sees_runs_metrics_samples_and_the_lists(parts):
    run = make(parts, metrics(1, loss=1.5), ("sample", {"step": 1, "prompt": "p", "text": "t"}))
    parts.history.lists["models"] = parts.models.rows
    sql = parts.history.sql
    assert sql("select run_id, name, step, value from metrics").values.tolist() == [[run.id, "loss/train", 1, 1.5]]
    assert sql("select text from samples").text.tolist() == ["t"]
    assert sql("select reference, parameters from models").values.tolist() == [["bundled:base", 32]]
    assert sql("select time from metrics").time[0] == pd.Timestamp("2023-11-14 22:13:20.5")


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_long_run_opens_with_few_points(parts):
    """100,000 steps, four curves: at most 2,000 points each, with the spike, in a moment."""
    import time

    run = make(parts, started())
    number = parts.index.number(run.id)
    with parts.index.transaction() as cursor:
        cursor.execute(
            f"""insert into points
            select {number}, name, step, case when step = 54321 then 99 else random() end, 1, step, step
            from range(1, 100001) s(step), (values ('loss/train'), ('grad_norm'), ('tokens'), ('epoch')) n(name)"""
        )
    start = time.perf_counter()
    steps, values = parts.history.series(run.id, "loss/train", max_points=2000)
    assert time.perf_counter() - start < 2
    assert len(steps) <= 2000 and dict(zip(steps, values))[54321] == 99


def test_settings_of_the_tests_are_settings():
    assert settings(3).max_steps == 3
