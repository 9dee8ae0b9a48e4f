"""The training process: how it ends, and what it says when something goes wrong."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.config import LoRAConfig, OptimizerConfig, SFTConfig
from lab.errors import DataError, RunError
from lab.events import read_events
from lab.file_lock import FileLock, is_held
from lab.launcher import Launcher
from lab.model import load_model
from lab.worker import explain, main
from tests.tiny import make_sft_run, series, work_here

ROOT = Path(__file__).resolve().parent.parent
QUICK = SFTConfig(
    max_steps=6,
    batch_size=4,
    learning_rate=3e-3,
    eval_every=3,
    sample_every=0,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=2),
)


def start(run, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "lab.worker", str(run.path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def events_of(run, attempt=1):
    return [event for event in read_events(run.events)[0] if event.attempt == attempt]


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read().decode()
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


# --- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said", "advice"),
    [
        (DataError("Row 3 is empty."), "Row 3 is empty.", ""),
        (MemoryError(), "not enough memory", "batch_size"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
            "memory",
            "max_length",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full", "Make room"),
        (KeyboardInterrupt(), "interrupted", "Continue"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", "log"),
    ],
)
def test_an_error_in_words(error, said, advice):
    text, what_to_try = explain(error)
    assert said in text
    assert advice in what_to_try


def test_an_errors_own_advice_comes_first():
    error = RunError("The loss is not a number.")
    error.add_note("Lower the learning rate.")
    assert explain(error) == ("The loss is not a number.", "Lower the learning rate.")


def test_any_exception_becomes_a_failed_event_with_its_place(tiny_model, tmp_path, monkeypatch, capsys):
    run = make_sft_run(tmp_path, tiny_model, QUICK.replace(eval_every=1))
    monkeypatch.setattr("lab.algorithms.sft.set_learning_rate", lambda optimizers, factor: 1 / 0)
    assert main(str(run.path)) == 1
    last = events_of(run)[-1]
    assert last.type == "failed"
    assert last.fields["error"] == "ZeroDivisionError: division by zero"
    assert "in train" in last.fields["traceback"]
    assert not is_held(run.lock)


def test_a_disk_that_fills_up_at_a_checkpoint_keeps_the_one_before(tiny_model, tmp_path, monkeypatch):
    run = make_sft_run(tmp_path, tiny_model, QUICK)
    from lab import checkpoint

    save_file, saved = checkpoint.save_file, []

    def full_later(tensors, path):
        saved.append(path)
        if len(saved) > 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save_file(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full_later)
    assert main(str(run.path)) == 1
    assert events_of(run)[-1].fields["error"] == "The disk is full."
    assert run.checkpoint_steps() == [2]
    monkeypatch.undo()
    run.update(attempt=2, resume=True)
    assert main(str(run.path)) == 0
    assert min(series(events_of(run, 2), "loss/train")) == 3


def test_only_one_worker_holds_a_run(tiny_model, tmp_path, capsys):
    run = make_sft_run(tmp_path, tiny_model, QUICK)
    lock = FileLock(run.lock)
    assert lock.acquire()
    import lab.worker

    try:
        assert lab.worker.main(str(run.path)) == 1
    finally:
        lock.release()
    assert "Another process" in capsys.readouterr().err
    assert not run.events.exists()


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_trains_reports_and_leaves_a_model(tiny_model, tmp_path):
    run = make_sft_run(tmp_path, tiny_model, QUICK.replace(sample_every=3))
    process = start(run)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output.decode()
    events = events_of(run)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    spoken = [event.type for event in events if event.type != "message"]
    assert (spoken[0], spoken[-1]) == ("started", "finished")
    assert list(series(events, "loss/train")) == [1, 2, 3, 4, 5, 6]
    assert list(series(events, "loss/heldout")) == [0, 3, 6]
    assert run.checkpoint_steps() == [2, 4, 6]
    assert load_model(run.model).end_ids == load_model(tiny_model).end_ids
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import lab.worker, lab.algorithms.sft, lab.model, lab.answers"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not [line for line in loaded.splitlines() if line.split("|")[-1].strip() in ("transformers", "peft")]


@pytest.mark.slow
def test_paused_continued_killed_and_resumed_gives_the_unbroken_losses(tiny_model, tmp_path):
    config = QUICK.replace(max_steps=400, checkpoint_every=50, eval_every=100)
    unbroken = make_sft_run(tmp_path / "a", tiny_model, config)
    expected = series(work_here(unbroken), "loss/train")
    run = make_sft_run(tmp_path / "b", tiny_model, config)
    process = start(run)
    wait_for(lambda: any(event.type == "metrics" for event in events_of(run)), process)
    assert is_held(run.lock)
    run.request_pause()
    wait_for(lambda: any(event.type == "paused" for event in events_of(run)), process)
    paused_at = next(event for event in events_of(run) if event.type == "paused").fields["step"]
    assert paused_at in run.checkpoint_steps()
    count = len(events_of(run))
    time.sleep(0.5)
    assert len(events_of(run)) == count
    run.clear_requests()
    wait_for(lambda: any(event.type == "continued" for event in events_of(run)), process)
    wait_for(lambda: len(run.checkpoint_steps()) > 2, process)
    process.kill()
    process.communicate()
    assert not is_held(run.lock)
    run.update(attempt=2, resume=True)
    process = start(run)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()
    losses = series(events_of(run, 1), "loss/train") | series(events_of(run, 2), "loss/train")
    assert losses.keys() == expected.keys()
    assert all(abs(losses[step] - expected[step]) < 1e-6 for step in expected)
    assert min(series(events_of(run, 2), "loss/train")) > 50


@pytest.mark.slow
def test_out_of_memory_is_said_in_words(tiny_model, tmp_path):
    import resource

    run = make_sft_run(tmp_path, tiny_model, QUICK)
    code = (
        "import sys, resource, torch, accelerate, lab.algorithms.sft, lab.model, lab.answers, psutil\n"
        "import lab.algorithms.sft as page\n"
        "original = page.pack_examples\n"
        "def large(examples):\n"
        "    torch.empty(1 << 34)\n"
        "    return original(examples)\n"
        "page.pack_examples = large\n"
        "used = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)\n"
        "from lab.worker import main\n"
        "sys.exit(main(sys.argv[-1]))\n"
    )
    assert resource
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 1, done.stderr
    last = events_of(run)[-1]
    assert last.fields["error"] == "There is not enough memory for this run."
    assert "batch_size" in last.fields["advice"]


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_two_processes_take_the_steps_of_one(tiny_model, tmp_path, lora):
    config = QUICK.replace(lora=lora, sample_every=3)
    alone = work_here(make_sft_run(tmp_path / "one", tiny_model, config))
    run = make_sft_run(tmp_path / "two", tiny_model, config.replace(processes=2, gradient_accumulation=2))
    launcher = Launcher()
    worker, _ = launcher.launch(run, 2)
    deadline = time.monotonic() + 300
    while launcher.is_alive(run, worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert launcher.kill(run, worker), "processes are left"
    events = events_of(run)
    assert next(event for event in events if event.type == "started").fields["world_size"] == 2
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for name in ("loss/train", "loss/heldout", "grad_norm", "accuracy/train", "tokens"):
        one, two = series(alone, name), series(events, name)
        assert one.keys() == two.keys()
        assert all(abs(one[step] - two[step]) < 2e-5 * max(1, abs(one[step])) for step in one), name
    assert events[-1].type == "finished"


def test_fewer_processes_than_asked_for_is_an_error(tiny_model, tmp_path):
    run = make_sft_run(tmp_path, tiny_model, QUICK.replace(processes=2))
    assert main(str(run.path)) == 1
    assert "2 training processes were asked for and 1 came up" in events_of(run)[-1].fields["error"]
    assert json.loads(run.run_file.read_text())["attempt"] == 1
