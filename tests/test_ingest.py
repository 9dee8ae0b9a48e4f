"""From logs to tables: each event exactly once, through kills, copies, damage and a full disk."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from lab.events import read_events
from lab.run_dir import RunDir
from lab.schema import VERSION, open_database
from tests.long import record
from tests.parts import Parts, append_events, make_run, metrics, started, wait_for

ROOT = Path(__file__).resolve().parent.parent
FOLLOWER = """
import sys
from tests.parts import Parts
parts = Parts(sys.argv[1])
parts.ingest.start()
parts.history.caught_up.wait()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parts(tmp_path):
    parts = Parts(tmp_path)
    yield parts
    parts.ingest.close()
    parts.index.close()


def rows(parts, run):
    """(seq, name) of all points of a run, in order: what must be there exactly once."""
    query = "select p.seq, p.name from points p join run_index r on r.number = p.run where r.id = ? order by 1, 2"
    return parts.index.read(query, [run.id])


def expected(run):
    """The same from the log itself."""
    events, _ = read_events(run.events)
    return sorted((event.seq, name) for event in events if event.type == "metrics" for name in event.fields["values"])


def random_events(chance, count):
    return [metrics(chance.randint(0, 99), loss=chance.random(), grad_norm=1.0) for _ in range(count)]


def test_a_line_counts_once_it_is_whole(parts):
    run = make_run(parts.folder / "runs", [metrics(1, loss=1.0)])
    with run.events.open("ab") as file:
        file.write(b'{"seq": 2, "time": 1.0, "type": "metrics", "attempt": 1, "step": 2, "values": {"loss/tr')
    parts.index.take(run)
    assert len(rows(parts, run)) == 1
    with run.events.open("ab") as file:
        file.write(b'ain": 2.0}}\n')
    parts.index.take(run)
    assert rows(parts, run) == [(1, "loss/train"), (2, "loss/train")]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'{"seq": 2}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 1}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 1, "step": 2, "values": 7}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 1, "step": 2, "values": {"a": "big"}}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 1, "step": 2, "values": {"a": null}}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 1, "step": 1e30, "values": {"a": 1}}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": "x", "step": 2, "values": {"a": 1}}',
        b'{"seq": 2, "time": 1, "type": "metrics", "attempt": 99999999999, "step": 2, "values": {"a": 1}}',
        b'{"seq": 2, "time": "x", "type": "metrics", "attempt": 1, "step": 2, "values": {"a": 1}}',
        b'{"seq": -2, "time": 1, "type": "sample", "attempt": 1, "step": 2, "prompt": "", "text": ""}',
        b'{"seq": 2, "time": 1, "type": "finished", "attempt": 1}',
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_a_line_that_is_no_event_hides_no_other(parts, line):
    run = make_run(parts.folder / "runs", [metrics(1, loss=1.0)])
    with run.events.open("ab") as file:
        file.write(line + b"\n")
    append_events(run, [metrics(3, loss=3.0)])
    entry = parts.index.take(run)
    assert [name for _, name in rows(parts, run)] == ["loss/train"] * 2
    assert (entry.state.step, entry.outcome.status) == (3, "starting")


def test_text_of_any_kind_arrives_unchanged(parts):
    texts = ["", "zero \0 byte", "🙂 Größe 日本", "'; drop table points; --", "line\nline\r\ttab", "x" * 100_000]
    events = [("sample", {"step": step, "prompt": "p", "text": text}) for step, text in enumerate(texts)]
    run = make_run(parts.folder / "runs", events)
    parts.index.take(run)
    parts.history.caught_up.set()
    assert parts.history.samples(run.id).text.tolist() == texts


def test_another_log_in_the_same_place_is_read_from_its_beginning(parts):
    run = make_run(parts.folder / "runs", [metrics(step, loss=1.0) for step in range(10)])
    parts.index.take(run)
    copy = run.events.read_bytes()
    run.events.unlink()
    run.events.write_bytes(copy)  # the same log, put back: nothing to do
    parts.index.take(run)
    assert rows(parts, run) == expected(run)
    run.events.unlink()
    append_events(run, [metrics(7, grad_norm=1.0) for _ in range(30)])
    parts.index.take(run)
    assert rows(parts, run) == expected(run) and len(expected(run)) == 30
    assert set(parts.index.entry(run.id).state.curves) == {"grad_norm"}


def test_long_logs_are_taken_in_pieces(parts, monkeypatch):
    monkeypatch.setattr("lab.index.CHUNK", 1000)
    run = make_run(parts.folder / "runs", random_events(random.Random(0), 200))
    parts.index.take(run)
    assert rows(parts, run) == expected(run)


def test_a_rebuilt_index_equals_the_one_that_grew(parts, tmp_path):
    chance, runs = random.Random(4), [make_run(tmp_path / "runs", [started()]) for _ in range(3)]
    places = {run.id: (0, 1) for run in runs}  # step and attempt
    for _ in range(30):
        run = chance.choice(runs)
        step, attempt = places[run.id]
        if chance.random() < 0.3:
            step, attempt = max(0, step - chance.randint(0, 5)), attempt + 1
        events = [(*metrics(step + n, loss=chance.random(), heldout=chance.random()), attempt) for n in range(1, 4)]
        append_events(run, [*events, ("sample", {"step": step + 3, "prompt": "p", "text": "t"}, attempt)])
        places[run.id] = (step + 3, attempt)
        parts.index.take(run)
    again = Parts(tmp_path, file="again.duckdb")
    again.ingest.catch_up()
    for run in runs:
        for table in ("points", "texts"):
            query = f"select * exclude (run) from {table} where run = ? order by all"
            grown = parts.index.read(query, [parts.index.number(run.id)])
            assert again.index.read(query, [again.index.number(run.id)]) == grown
        assert again.index.entry(run.id).state == parts.index.entry(run.id).state
        assert again.index.entry(run.id).state.attempt == places[run.id][1]
    again.index.close()


def test_the_thread_follows_a_growing_log_and_finds_new_folders(parts, monkeypatch):
    monkeypatch.setattr("lab.ingest.SCAN_SECONDS", 0.05)
    monkeypatch.setattr("lab.ingest.IDLE_SECONDS", 0.05)
    parts.ingest.start()
    run = make_run(parts.folder / "runs", [started(), metrics(1, loss=1.0)])
    wait_for(lambda: parts.index.entry(run.id) and len(rows(parts, run)) == 1)
    for step in range(2, 6):
        append_events(run, [metrics(step, loss=1.0)])
        wait_for(lambda step=step: len(rows(parts, run)) == step)
    append_events(run, [("finished", {"step": 5})])
    wait_for(lambda: parts.index.entry(run.id).outcome.status == "finished")
    (parts.folder / "runs" / "not a run").mkdir()
    (parts.folder / "runs" / "half").mkdir()
    (parts.folder / "runs" / "half" / "run.json").write_text("{")
    other = make_run(parts.folder / "runs", [started()])
    wait_for(lambda: parts.index.entry(other.id))
    assert parts.index.entry("half") is None


def test_a_log_that_never_stands_still_does_not_hold_the_thread(parts, monkeypatch):
    """Every look at the log finds more of it; one `take` ends at what was there when it began."""
    run = make_run(parts.folder / "runs", [metrics(1, loss=1.0)])
    real = read_events

    def growing(path, offset, limit):
        found = real(path, offset, limit)
        append_events(run, [metrics(2, loss=1.0)])
        return found

    monkeypatch.setattr("lab.index_rows.read_events", growing)
    parts.index.take(run)
    assert len(expected(run)) <= 3


# --- damage ----------------------------------------------------------------------------------------------------------


def damaged(file, how):
    size = file.stat().st_size
    if how == "nonsense":
        file.write_bytes(b"this is not a database" * 1000)
    elif how == "cut":
        os.truncate(file, size // 2)
    elif how == "empty":
        os.truncate(file, 0)
    elif how == "header":
        with file.open("r+b") as opened:
            opened.seek(4096)
            opened.write(os.urandom(4096))
    elif how == "newer":
        connection = duckdb.connect(str(file))
        connection.execute(f"update version set version = {VERSION + 1}")
        connection.close()
    elif how == "foreign":
        file.unlink()
        connection = duckdb.connect(str(file))
        connection.execute("create table something as select 1")
        connection.close()
    elif how == "log":
        file.with_name(file.name + ".wal").write_bytes(os.urandom(5000))


@pytest.mark.parametrize("how", ["nonsense", "cut", "empty", "header", "newer", "foreign", "log"])
def test_a_file_that_cannot_serve_is_set_aside_and_made_again(tmp_path, how):
    parts = Parts(tmp_path)
    runs = [make_run(tmp_path / "runs", [started(), *random_events(random.Random(n), 50)]) for n in range(3)]
    parts.ingest.catch_up()
    parts.history.caught_up.set()
    parts.history.annotate(runs[0].id, note="keep me")
    before = [rows(parts, run) for run in runs]
    parts.index.close()
    damaged(tmp_path / "history.duckdb", how)
    again = Parts(tmp_path)
    again.ingest.catch_up()
    again.history.caught_up.set()
    assert [rows(again, run) for run in runs] == before == [expected(run) for run in runs]
    assert again.history.runs().set_index("id").loc[runs[0].id, "note"] == "keep me"
    kept = list(tmp_path.glob("history.set-aside-*.duckdb"))
    if how in ("empty", "log"):  # DuckDB may take these for a new file, or for a log it never finished
        assert len(kept) <= 1
    else:
        assert len(kept) == 1 and any(kept[0].name in notice for notice in again.index.notices)
    again.index.close()


def test_damage_found_while_reading_is_mended_and_the_question_answered(tmp_path):
    parts = Parts(tmp_path)
    runs = [make_run(tmp_path / "runs", random_events(random.Random(n), 4000)) for n in range(2)]
    parts.ingest.catch_up()
    parts.index.close()
    file = tmp_path / "history.duckdb"
    with file.open("r+b") as opened:  # the blocks behind the headers
        opened.seek(12288)
        opened.write(os.urandom(file.stat().st_size - 12288))
    again = Parts(tmp_path)
    again.ingest.catch_up()
    again.history.caught_up.set()
    for run in runs:
        assert len(again.history.series(run.id, "loss/train")[0]) == 4000
        assert rows(again, run) == expected(run)
    assert again.index.notices
    again.index.close()


def test_two_apps_cannot_have_one_file(tmp_path):
    from lab.errors import WorkspaceLockedError

    first, _ = open_database(tmp_path / "history.duckdb")
    code = (
        "import sys; from pathlib import Path; from lab.schema import open_database; open_database(Path(sys.argv[1]))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "history.duckdb")], cwd=ROOT, capture_output=True, text=True
    )
    assert WorkspaceLockedError.__name__ in other.stderr
    assert len(list(tmp_path.iterdir())) <= 2  # nothing was set aside
    first.close()


def test_a_place_that_takes_no_file_keeps_history_in_memory(tmp_path):
    (tmp_path / "blocked").write_text("a file where a folder would have to be")
    parts = Parts(tmp_path, file="blocked/history.duckdb")
    run = make_run(tmp_path / "runs", [metrics(1, loss=1.0)])
    parts.ingest.catch_up()
    assert rows(parts, run) == expected(run)
    assert "memory" in parts.index.notices[0]
    parts.index.close()


def test_a_disk_that_fills_up_moves_history_into_memory(tmp_path, monkeypatch):
    parts = Parts(tmp_path)
    run = make_run(tmp_path / "runs", random_events(random.Random(0), 20))
    parts.ingest.catch_up()
    append_events(run, random_events(random.Random(1), 20))
    real, calls = parts.index.transaction, []

    def full():
        if not calls:
            calls.append(1)
            # the words of DuckDB 2.0 on a full tmpfs
            raise duckdb.TransactionException("Failed to commit: Could not write file: No space left on device")
        return real()

    monkeypatch.setattr(parts.index, "transaction", full)
    parts.ingest.take(run)
    assert rows(parts, run) == expected(run)
    assert parts.index.file is None and "disk" in parts.index.notices[-1]
    parts.index.close()


# --- kill ------------------------------------------------------------------------------------------------------------


def kill_rounds(folder, rounds, seed=0):
    """Kill an app at random moments while logs grow; gives how often rows were lost or doubled (never, that is)."""
    chance = random.Random(seed)
    run = make_run(folder / "runs", [started()])
    lost = doubled = 0
    for _ in range(rounds):
        app = subprocess.Popen(
            [sys.executable, "-c", FOLLOWER, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert app.stdout.readline().strip() == "ready", app.stderr.read()
        end = time.monotonic() + chance.uniform(0.05, 0.5)
        while time.monotonic() < end:
            append_events(run, random_events(chance, chance.randint(1, 50)))
            time.sleep(chance.uniform(0, 0.02))
        os.kill(app.pid, signal.SIGKILL)
        app.communicate()
        parts = Parts(folder)
        there = rows(parts, run)  # what was committed: a beginning of the log, nothing twice
        wanted = expected(run)
        doubled += len(there) - len(set(there))
        lost += there != wanted[: len(there)]
        parts.ingest.catch_up()
        lost += rows(parts, run) != wanted
        parts.index.close()
    return {"rounds": rounds, "events": len(expected(run)), "lost": lost, "doubled": doubled}


@pytest.mark.slow
def test_a_killed_app_loses_and_doubles_nothing(tmp_path):
    result = kill_rounds(tmp_path, 5)
    assert result["lost"] == result["doubled"] == 0


@pytest.mark.long
def test_a_killed_app_loses_and_doubles_nothing_in_fifty_rounds(tmp_path):
    result = kill_rounds(tmp_path, rounds := int(os.environ.get("NUDGE_ROUNDS", "50")), seed=1)
    record("kill -9 of the app while logs grow: rows of DuckDB", rounds, result["lost"] + result["doubled"])
    assert result["lost"] == result["doubled"] == 0


def test_a_copied_workspace_is_not_read_again(tmp_path):
    parts = Parts(tmp_path / "one")
    run = make_run(tmp_path / "one" / "runs", random_events(random.Random(0), 20))
    parts.ingest.catch_up()
    parts.index.close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    again = Parts(tmp_path / "two")
    copied = RunDir(tmp_path / "two" / "runs" / run.id)
    number = again.index.number(run.id)
    again.ingest.catch_up()
    assert again.index.number(run.id) == number and rows(again, copied) == expected(copied)
    assert json.loads(again.index.read("select state from run_index")[0][0])["seq"] == 20
    again.index.close()
