"""Workers as processes: commands, groups, identity, last words. The real worker and accelerate are in the slow part."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lab.errors import RunError
from lab.file_lock import FileLock
from lab.launcher import Launcher, Worker, identity_of, log_tail, why_crashed
from lab.run_dir import RunDir
from lab.run_state import checked_about
from tests.parts import FAKE_WORKER, make_run, settings, wait_for

GROUP = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, __file__, "child", sys.argv[-1]]) if "child" not in sys.argv else None
print("rea" + "dy", flush=True)
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "runs")


def test_one_process_is_started_directly_and_several_by_accelerate(run):
    launcher = Launcher()
    assert launcher.command(run, 1) == [sys.executable, "-m", "lab.worker", str(run.path)]
    several = launcher.command(run, 3)
    assert several[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    assert several[several.index("--num_processes") + 1] == "3" and "--multi_gpu" in several and "--cpu" not in several
    assert several[-3:] == ["-m", "lab.worker", str(run.path)]
    ports = {launcher.command(run, 2)[several.index("--main_process_port") + 1] for _ in range(3)}
    assert all(1024 < int(port) < 65536 for port in ports)


def test_a_process_is_told_from_a_later_one_with_its_pid():
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    identity = identity_of(child.pid)
    assert identity and identity == identity_of(child.pid) and identity != identity_of(os.getpid())
    child.kill()
    wait_for(lambda: identity_of(child.pid) is None)  # a zombie counts as dead
    child.wait()
    assert identity_of(child.pid) is None and identity_of(2**22 + 1) is None


def test_the_whole_group_is_killed_even_when_its_leader_is_gone(run, tmp_path):
    script = tmp_path / "group.py"
    script.write_text(GROUP)
    launcher = Launcher((str(script),))
    worker, command = launcher.launch(run, 1)
    assert command == [sys.executable, str(script), str(run.path)] and launcher.is_alive(run, worker)
    wait_for(lambda: log_tail(run).count("ready") == 2)
    assert launcher.find(run).pid == worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: not launcher.is_alive(run, worker))
    assert len(launcher._members(run, worker)) == 1  # the child goes on
    assert launcher.kill(run, worker) and launcher._members(run, worker) == []
    assert launcher.exit_code(worker) == -9 and launcher.find(run) is None


def test_the_lock_says_that_a_worker_lives_when_the_pid_does_not(run):
    launcher, lock = Launcher(), FileLock(run.lock)
    gone = Worker(2**22 + 1, "another-boot:1", str(run.path))
    assert not launcher.is_alive(run, gone) and not launcher.is_alive(run, None)
    assert lock.acquire()
    assert launcher.is_alive(run, gone)


def test_a_worker_of_a_copied_folder_is_not_its_worker(run, tmp_path):
    launcher = Launcher(FAKE_WORKER)
    run.update(queue=None)
    worker, _ = launcher.launch(run, 1)
    copy = make_run(tmp_path / "runs")
    assert not launcher.is_alive(copy, Worker(worker.pid, worker.identity, str(run.path)))
    assert launcher.kill(copy, worker) and identity_of(worker.pid)  # and is not killed through it
    assert launcher.kill(run, worker) and identity_of(worker.pid) is None


def test_what_cannot_be_started_says_so(run):
    run.log.mkdir()
    with pytest.raises(RunError, match="could not be started"):
        Launcher().launch(run, 1)


def test_worker_from_json():
    worker = Worker(5, "boot:7", "/runs/x")
    assert Worker.from_json(worker.to_json()) == worker
    for broken in (None, {}, [], {"pid": "x", "identity": "", "folder": ""}, "5"):
        assert Worker.from_json(broken) is None


@pytest.mark.parametrize(
    ("text", "lines", "tail"),
    [
        (b"", 5, ""),
        (b"one\ntwo\nthree\n", 2, "two\nthree"),
        (b"one\n 10%\r 20%\r 30%\nlast", 3, "one\n 30%\nlast"),
        (b"bad \xff byte\r\n", 3, "bad \N{REPLACEMENT CHARACTER} byte"),
        (b"x" * 200_000 + b"\nend\n", 1, "end"),
    ],
)
def test_the_tail_of_a_log(run, text, lines, tail):
    run.log.write_bytes(text)
    assert log_tail(run, lines) == tail


@pytest.mark.parametrize(
    ("log", "code", "error", "advice"),
    [
        ("torch.cuda.OutOfMemoryError: CUDA out of memory", 1, "out of memory", "batch_size"),
        ("MemoryError", 1, "out of memory", "batch_size"),
        ("OSError: [Errno 28] No space left on device", 1, "disk is full", "room"),
        ("Signal 9 (SIGKILL) received by PID 77", 1, "system ended it", "memory"),
        ("", -9, "system ended it", "memory"),
        ("", -11, "segmentation fault", "log"),
        ("", -15, "from outside", "Continue"),
        ("", 3, "exit code 3", "log"),
        ("", None, "without a word", "log"),
        # what an earlier attempt said does not explain this one
        ("MemoryError\n--- 2026-01-01 00:00:00: python\nModuleNotFoundError: x", None, "package", "Set the app up"),
    ],
)
def test_why_a_worker_is_gone(run, log, code, error, advice):
    run.log.write_text(log)
    said = why_crashed(run, code)
    assert error in said[0] and advice in said[1]


@pytest.mark.parametrize(
    "about",
    [[], 7, {"attempt": "1"}, {"attempt": 0}, {"queue": "next"}, {"outcome": "crashed"}, {"outcome": {"status": "?"}}],
)
def test_a_broken_run_json_is_refused(run, about):
    with pytest.raises(RunError, match=r"run\.json"):
        checked_about(about, run.run_file)
    assert checked_about(run.about(), run.run_file) == run.about()


# --- the real worker -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_real_worker_trains_in_one_process_and_in_two(tmp_path, processes):
    import json

    from lab.events import read_events
    from tests.tiny import make_tiny_model

    model = make_tiny_model(tmp_path / "model")
    config = settings(
        4, batch_size=4, processes=processes, device="cpu", model=str(model), eval_every=2, sample_every=0
    ).replace(sample_prompts=("Who are you?",))
    run = RunDir.create(tmp_path / "runs", config, {"model_folder": str(model), "resume": False})
    chats = [
        {"messages": [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": f"I am {n}."}]}
        for n in range(12)
    ]
    for name, rows in (("train", chats[:10]), ("heldout", chats[10:])):
        (run.data / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    launcher = Launcher()
    start = time.monotonic()
    worker, _ = launcher.launch(run, processes)
    try:
        wait_for(lambda: not launcher.is_alive(run, worker), timeout=120)
    finally:
        launcher.kill(run, worker)
    events, _ = read_events(run.events)
    kinds = [event.type for event in events]
    assert kinds[-1] == "finished", log_tail(run, 60)
    begun = next(event for event in events if event.type == "started")
    assert begun.fields["world_size"] == processes
    print(f"{processes} processes: {time.monotonic() - start:.1f} s")
    assert (run.model / "model.safetensors").exists()
