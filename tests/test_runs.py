"""Runs as processes, with a fast worker of our own: states, queue, resume, kill, restarts of the app."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.config import PretrainConfig, SFTConfig, TrainingConfig
from lab.errors import ConfigError, DataError, ModelError, RunError
from lab.events import read_events
from lab.launcher import Worker, identity_of
from lab.run_dir import RunDir
from tests.fake_worker import loss
from tests.long import record
from tests.parts import Parts, append_events, make_run, metrics, settings, started, wait_for

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def parts(tmp_path):
    with Parts(tmp_path) as parts:
        yield parts


def pid_of(run):
    return json.loads((run.folder / "run.json").read_text())["process"]["pid"]


def is_whole(run, torn=False):
    """Whether the log has no gap (its last line may be `torn` by a kill) and every announced checkpoint is there."""
    events, end = read_events(run.folder / "events.jsonl")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert torn or end == (run.folder / "events.jsonl").stat().st_size
    for event in events:
        if event.type == "checkpoint":
            assert (run.folder / event.fields["folder"] / "state.json").exists()
    return True


# --- from start to end -----------------------------------------------------------------------------------------------


def test_a_run_from_start_to_end(parts):
    before = time.perf_counter()
    run = parts.runs.start(settings(20), name="  first  ")
    assert time.perf_counter() - before < 0.5
    assert run.status in ("queued", "starting") and run.id in parts.history.runs().id.tolist()
    assert run.wait(timeout=20) is run
    assert (run.status, run.step, run.total_steps, run.error, run.advice) == ("finished", 20, 20, None, None)
    assert (run.name, run.algorithm, run.attempt, run.model) == ("first", "sft", 1, f"run:{run.id}")
    assert run.checkpoints() == [5, 10, 15, 20] and run.seconds_left is None
    assert run.config == settings(20) and run.folder == parts.folder / "runs" / run.id
    # when it has ended, the history is complete
    steps, values = parts.history.series(run.id, "loss/train")
    assert steps == list(range(1, 21)) and values == [loss(step) for step in steps]
    assert parts.history.samples(run.id).step.tolist() == [10, 20]
    about = RunDir(run.folder).about()
    assert about["rows"] == {"train": 1, "heldout": 0} and about["model_folder"].endswith("bundled/base")
    assert about["versions"]["torch"] and about["command"][-1] == str(run.folder)
    assert '"hello"' in run.log_tail()
    assert [each.id for each in parts.runs.list()] == [run.id]
    assert parts.runs.get(run.id).status == "finished"


@pytest.mark.parametrize(
    ("behaviour", "status", "step", "error", "advice"),
    [
        ("fail at 8", "failed", 8, "It broke.", "Mend it."),
        pytest.param("nan at 8", "failed", 8, "not a number", "Lower the learning rate", marks=pytest.mark.slow),
        pytest.param("exit at 8", "crashed", 7, "exit code 3", "log", marks=pytest.mark.slow),
        ("die at 8", "crashed", 7, "The system ended it", "memory"),
        pytest.param("memory at 8", "crashed", 7, "out of memory", "batch_size", marks=pytest.mark.slow),
    ],
)
def test_what_goes_wrong_is_said_and_can_be_continued(parts, behaviour, status, step, error, advice):
    run = parts.runs.start(settings(12, behaviour)).wait(timeout=20)
    assert (run.status, run.step) == (status, step)
    assert error in run.error and advice in run.advice
    assert parts.history.runs().status.tolist() == [status]
    run.resume()
    assert run.status in ("queued", "starting", "running") and run.error is None
    run.wait(timeout=20)
    assert (run.status, run.attempt, run.error) == ("finished", 2, None)
    steps, values = parts.history.series(run.id, "loss/train")
    assert steps == list(range(1, 13)) and values == [loss(step) for step in steps]
    assert is_whole(run)


def test_a_run_without_enough_memory_goes_on_with_half_the_part_and_the_same_steps(parts):
    run = parts.runs.start(settings(12, "die at 8").replace(batch_size=4)).wait(timeout=20)
    assert run.status == "crashed" and run.smaller.gradient_accumulation == 2
    run.retry_smaller()
    run.wait(timeout=20)
    assert (run.status, run.attempt, run.config.gradient_accumulation, run.config.batch_size) == ("finished", 2, 2, 4)
    assert RunDir(run.folder).about()["settings_before"] == [{"until": 1, "gradient_accumulation": 1}]
    assert parts.history.runs()["config.gradient_accumulation"].tolist() == [2]
    assert run.smaller is None
    with pytest.raises(RunError, match="did not end for want of memory"):
        run.retry_smaller()
    other = parts.runs.start(settings(12, "fail at 8")).wait(timeout=20)
    assert other.smaller is None


def test_how_settings_get_smaller():
    whole = SFTConfig(batch_size=6, processes=2)
    halves = whole.smaller()
    assert halves == whole.replace(gradient_accumulation=2)
    thirds = halves.smaller()
    assert thirds == whole.replace(gradient_accumulation=3)
    least = thirds.smaller()
    assert least == whole.replace(gradient_accumulation=3, gradient_checkpointing=True) and least.smaller() is None


def test_wait_raises_only_when_time_is_up(parts):
    run = parts.runs.start(settings(2000, "sleep 0.02"))
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.2)
    run.kill()
    assert run.wait(timeout=1).status == "crashed"


def test_what_cannot_work_is_refused_before_anything_is_made(parts):
    for config, error in [
        (settings(dataset=""), ConfigError),
        (settings(dataset="nowhere"), DataError),
        (settings(model="bundled:nowhere"), ModelError),
        (settings(model="run:nowhere"), ModelError),
        (settings(model="org/never-downloaded"), ModelError),
        (PretrainConfig(dataset="chats"), DataError),  # a set of conversations
        (TrainingConfig(), ConfigError),
        ("sft", ConfigError),
    ]:
        with pytest.raises(error):
            parts.runs.start(config)
    assert parts.runs.list() == [] and list((parts.folder / "runs").iterdir()) == []
    with pytest.raises(RunError, match="no run"):
        parts.runs.get("../runs")


@pytest.mark.slow
def test_data_that_cannot_be_frozen_fails_the_run(parts):
    run = parts.runs.start(settings(dataset="broken")).wait(timeout=10)
    assert (run.status, run.error) == ("failed", "Row 3 cannot be read.")
    slow, quick = parts.runs.start(settings(5, dataset="slow")), parts.runs.start(settings(5))
    assert slow.wait(timeout=20).status == quick.wait(timeout=20).status == "finished"
    assert (slow.folder / "data" / "train.jsonl").exists()


# --- asking something of a run ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pause_keeps_the_process_and_its_place(parts):
    run = parts.runs.start(settings(2000, "sleep 0.005"))
    wait_for(lambda: run.step > 3)
    run.pause()
    assert run.is_asked_to in ("pause", "")
    wait_for(lambda: run.status == "paused")
    pid, step = pid_of(run), run.step
    assert step in run.checkpoints() and run.seconds_left is not None
    other = parts.runs.start(settings(5))
    time.sleep(0.3)
    assert (run.step, other.status, other.waits_for) == (step, "queued", run.id)
    run.pause()  # once more changes nothing
    run.resume()
    wait_for(lambda: run.status == "running" and run.step > step)
    assert pid_of(run) == pid and run.attempt == 1
    run.pause()
    wait_for(lambda: run.status == "paused")
    run.stop()
    assert run.wait(timeout=10).status == "stopped" and other.wait(timeout=10).status == "finished"
    assert is_whole(run)


def test_stop_keeps_what_was_learned_and_resume_goes_on_from_there(parts):
    run = parts.runs.start(settings(60, "sleep 0.01"))
    wait_for(lambda: run.step > 12)
    run.stop()
    run.stop()
    run.wait(timeout=10)
    stopped_at = run.step
    assert run.status == "stopped" and 12 < stopped_at < 60 and (run.folder / "model").is_dir()
    run.stop()  # has ended: nothing happens
    run.kill()
    assert run.status == "stopped"
    with pytest.raises(RunError, match="stopped"):
        run.pause()
    run.resume()
    assert run.wait(timeout=20).status == "finished"
    assert not (run.folder / "stop").exists()
    steps, values = parts.history.series(run.id, "loss/train")
    assert steps == list(range(1, 61)) and values == [loss(step) for step in steps]
    # nothing was done twice: it went on at the very step
    assert (
        parts.history.sql(f"select count(*) as n from metrics where run_id = '{run.id}' and name = 'loss/train'").n[0]
        == 60
    )
    with pytest.raises(RunError, match="finished"):
        run.resume()


@pytest.mark.slow
def test_kill_ends_the_whole_group(parts):
    run = parts.runs.start(settings(2000, "sleep 0.01", "deaf"))
    wait_for(lambda: run.step > 6)
    pid = pid_of(run)
    with pytest.raises(RunError, match="running"):
        run.resume()
    run.kill()
    assert run.status == "crashed" and "killed" in run.error and identity_of(pid) is None
    run.resume()
    wait_for(lambda: run.status == "running")
    assert run.attempt == 2
    run.kill()
    assert is_whole(run)


@pytest.mark.slow
def test_a_worker_that_does_not_leave_is_killed(parts, monkeypatch):
    monkeypatch.setattr("lab.supervisor.LINGER_SECONDS", 0.3)
    run = parts.runs.start(settings(3, "linger"))
    run.wait(timeout=10)
    pid = pid_of(run)
    other = parts.runs.start(settings(3))
    assert other.wait(timeout=10).status == "finished"
    assert run.status == "finished" and identity_of(pid) is None


@pytest.mark.slow
def test_one_run_after_the_other_in_the_order_they_were_started(parts):
    runs = [parts.runs.start(settings(150, "sleep 0.02"), name=str(n)) for n in range(4)]
    wait_for(lambda: runs[0].status == "running", timeout=30)
    assert [run.name for run in parts.runs.queue()] == ["1", "2", "3"]
    runs[2].stop()
    assert runs[2].status == "stopped" and [run.name for run in parts.runs.queue()] == ["1", "3"]
    with pytest.raises(RunError, match="queued"):
        runs[3].pause()
    for run in runs:
        run.wait(timeout=60)
    assert [run.status for run in runs] == ["finished", "finished", "stopped", "finished"]
    spans = [parts.index.entry(runs[n].id).state for n in (0, 1, 3)]
    assert spans[0].ended <= spans[1].started and spans[1].ended <= spans[2].started
    runs[2].resume()
    assert runs[2].wait(timeout=60).status == "finished"


# --- the app ends, the runs go on ------------------------------------------------------------------------------------


def start_app(folder):
    """An app in a process of its own that has started a run; gives the process and the run's id."""
    app = subprocess.Popen(
        [sys.executable, "-m", "tests.parts", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    return app, app.stdout.readline().strip()


def test_a_run_outlives_a_killed_app(tmp_path):
    app, run_id = start_app(tmp_path)
    folder = RunDir(tmp_path / "runs" / run_id)
    wait_for(lambda: len(read_events(folder.events)[0]) > 5)
    app.kill()
    app.wait()
    seen = len(read_events(folder.events)[0])
    wait_for(lambda: len(read_events(folder.events)[0]) > seen + 3)
    with Parts(tmp_path) as parts:
        run = parts.runs.get(run_id)
        assert run.status == "running"
        other = parts.runs.start(settings(3))
        assert other.waits_for == run_id
        run.pause()
        wait_for(lambda: run.status == "paused")
        run.resume()
        wait_for(lambda: run.status == "running")
        run.stop()
        assert run.wait(timeout=30).status == "stopped" and other.wait(timeout=30).status == "finished"
        steps, values = parts.history.series(run_id, "loss/train")
        assert steps == list(range(1, run.step + 1)) and values == [loss(step) for step in steps]
        assert is_whole(run)


@pytest.mark.slow
def test_a_closed_workspace_leaves_its_run_running(tmp_path):
    parts = Parts(tmp_path).start()
    run = parts.runs.start(settings(3000, "sleep 0.02"))
    wait_for(lambda: run.step > 3)
    parts.close()
    with Parts(tmp_path) as again:
        run = again.runs.get(run.id)
        assert run.status == "running"
        run.kill()
        assert run.status == "crashed"


@pytest.mark.slow
def test_a_worker_that_died_while_nobody_looked_is_marked(tmp_path):
    app, run_id = start_app(tmp_path)
    folder = RunDir(tmp_path / "runs" / run_id)
    wait_for(lambda: len(read_events(folder.events)[0]) > 8)
    app.kill()
    app.wait()
    os.killpg(folder.about()["process"]["pid"], signal.SIGKILL)
    with Parts(tmp_path) as parts:
        run = parts.runs.get(run_id)
        assert run.status == "crashed" and run.error
        assert parts.runs.reconcile() == []
        died_at = run.step
        run.resume()
        wait_for(lambda: run.step > died_at)
        run.stop()
        run.wait(timeout=10)
        assert parts.history.series(run_id, "loss/train")[1] == [loss(step) for step in range(1, run.step + 1)]


@pytest.mark.slow
def test_queued_runs_wait_for_the_next_app(tmp_path):
    parts = Parts(tmp_path).start()
    first = parts.runs.start(settings(2000, "sleep 0.01"))
    second = parts.runs.start(settings(3, dataset="slow"))
    wait_for(lambda: first.status == "running")
    parts.close()
    with Parts(tmp_path) as again:
        assert again.runs.get(second.id).status == "queued"
        again.runs.get(first.id).stop()
        assert again.runs.get(second.id).wait(timeout=20).status == "finished"


@pytest.mark.slow
def test_an_app_killed_between_launch_and_note_finds_its_worker(tmp_path):
    """run.json says launched, without a process: the worker is known by its command, or was never started."""
    parts = Parts(tmp_path).start()
    run = parts.runs.start(settings(3000, "sleep 0.02"))
    wait_for(lambda: run.step > 3)
    parts.close()
    folder = RunDir(run.folder)
    pid = folder.about()["process"]["pid"]
    folder.update(process=None)
    never = make_run(tmp_path / "runs", name="never", steps=3)
    never.update(launched=time.time(), process=None, queue=None)
    with Parts(tmp_path) as again:
        run = again.runs.get(run.id)
        assert run.status == "running"
        assert again.runs.get(never.id).status == "queued"
        run.kill()
        assert identity_of(pid) is None
        assert again.runs.get(never.id).wait(timeout=20).status == "finished"


# --- folders that come and go ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_folder_copied_by_hand_is_a_run_of_its_own(tmp_path):
    import shutil

    with Parts(tmp_path) as parts:
        run = parts.runs.start(settings(3000, "sleep 0.01"))
        wait_for(lambda: run.step > 8)
        copy = tmp_path / "runs" / "a copy of it"
        shutil.copytree(run.folder, copy)
        parts.runs.get(copy.name)
        parts.runs.reconcile()
        copied = parts.runs.get(copy.name)
        assert copied.status == "crashed" and run.status == "running"
        copied.kill()  # has no process: the original goes on
        copied.resume()
        assert copied.status == "queued"
        run.stop()
        run.wait(timeout=10)
        wait_for(lambda: copied.status == "running")
        assert copied.attempt == 2 and run.attempt == 1
        copied.kill()


@pytest.mark.slow
def test_a_deleted_folder_is_forgotten(tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr("lab.ingest.SCAN_SECONDS", 0.05)
    monkeypatch.setattr("lab.ingest.IDLE_SECONDS", 0.05)
    with Parts(tmp_path) as parts:
        run = parts.runs.start(settings(3)).wait(timeout=10)
        shutil.rmtree(run.folder)
        wait_for(lambda: parts.runs.list() == [])
        assert parts.history.runs().empty
        with pytest.raises(RunError, match="no run"):
            parts.runs.get(run.id)
        assert parts.runs.start(settings(3)).wait(timeout=10).status == "finished"


def test_a_pid_given_to_another_process_is_not_taken_for_the_worker(tmp_path):
    run = make_run(tmp_path / "runs", [started(), metrics(1, loss=1.0)])
    mine = Worker(os.getpid(), "another-boot:1", str(run.path))
    run.update(process=mine.to_json())
    with Parts(tmp_path) as parts:
        assert parts.runs.get(run.id).status == "crashed"
        parts.runs.get(run.id).kill()  # and does not kill this process


def test_a_run_that_ended_after_all_is_not_crashed(tmp_path):
    """Marked as crashed by an app that could not see the worker; its last word comes later."""
    run = make_run(tmp_path / "runs", [started(), metrics(1, loss=1.0)])
    with Parts(tmp_path) as parts:
        assert parts.runs.get(run.id).status == "crashed"
        append_events(run, [("finished", {"step": 20})])
        assert parts.ingest.take(run).outcome.status == "finished"


# --- kill -9 at random moments ---------------------------------------------------------------------------------------


def kill_worker_rounds(folder, rounds, seed):
    """Kill the worker at random moments and continue the run; the curve at the end is that of an unbroken run."""
    chance = random.Random(seed)
    with Parts(folder) as parts:
        run = parts.runs.start(settings(200 * rounds, "sleep 0.002", checkpoint_every=3))
        for _ in range(rounds):
            wait_for(lambda: run.status == "running", timeout=30)
            time.sleep(chance.uniform(0, 0.3))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid_of(run), signal.SIGKILL)
            run.wait(timeout=30)
            assert run.status == "crashed" and is_whole(run, torn=True)
            run.resume()
        wait_for(lambda: run.status == "running", timeout=30)
        run.stop()
        assert run.wait(timeout=30).status == "stopped" and is_whole(run)
        steps, values = parts.history.series(run.id, "loss/train")
        assert steps == list(range(1, run.step + 1)) and values == [loss(step) for step in steps]
        assert run.attempt == rounds + 1


def kill_app_rounds(folder, rounds, seed):
    """Kill the app at random moments after it acknowledged a run: no acknowledged run is lost, no state is wrong."""
    chance, acknowledged = random.Random(seed), []
    for _ in range(rounds):
        app, run_id = start_app(folder)
        acknowledged.append(run_id)
        time.sleep(chance.uniform(0, 0.6))
        app.kill()
        app.wait()
        with Parts(folder) as parts:
            assert {run.id for run in parts.runs.list()} == set(acknowledged)
            run = parts.runs.get(run_id)
            wait_for(lambda run=run: run.status == "running" and run.step > 0, timeout=30)
            run.stop()
            assert run.wait(timeout=30).status == "stopped" and is_whole(run)
            steps, values = parts.history.series(run_id, "loss/train")
            assert steps == list(range(1, run.step + 1)) and values == [loss(step) for step in steps]


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    kill_worker_rounds(tmp_path / "worker", 4, seed=1)
    kill_app_rounds(tmp_path / "app", 3, seed=2)


@pytest.mark.long
@pytest.mark.parametrize("what", ["worker", "app"])
def test_killed_at_random_moments_fifty_times(tmp_path, what):
    rounds = int(os.environ.get("NUDGE_ROUNDS", "50"))
    failures = 1
    try:
        {"worker": kill_worker_rounds, "app": kill_app_rounds}[what](tmp_path, rounds, seed=3)
        failures = 0
    finally:
        record(f"kill -9 of the {what} at random moments: runs, curves and checkpoints", rounds, failures)


# --- the device -------------------------------------------------------------------------------------------------------


def test_the_model_process_is_asked_for_the_gpu_before_a_run_takes_it(parts):
    asked = []
    parts.supervisor.give_up_gpu = lambda: asked.append(parts.runs.holder())
    run = parts.runs.start(settings(5)).wait(timeout=20)
    assert run.status == "finished" and asked == [None]

    def gone():
        raise ModelError("The model process was closed.")

    parts.supervisor.give_up_gpu = gone
    assert parts.runs.start(settings(5)).wait(timeout=20).status == "finished"
