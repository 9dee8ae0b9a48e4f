"""A worker without torch: takes steps, writes events and checkpoints, obeys stop and pause as the real one does.

What it should do comes in the run's `sample_prompts`: "sleep 0.01" (seconds per step), "fail at 5", "nan at 5",
"exit at 5" (without a word), "die at 5" (SIGKILL), "memory at 5" (a MemoryError in the log), "linger" (does not exit),
"deaf" (ignores stop). Its loss is a function of the step, so that a resumed run can be compared with an unbroken one.
"""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab.events import FileSink, RunReporter
from lab.file_lock import FileLock
from lab.run_dir import RunDir, write_json


def loss(step):
    return 4 * math.exp(-step / 20) + 0.5 + (step * 7919 % 13) / 50


def main(folder):
    run = RunDir(folder)
    lock = FileLock(run.lock)
    assert lock.acquire(timeout=5), "another worker has this run"
    about, config = run.about(), run.config()
    wishes = dict(prompt.split(" ", 1) if " " in prompt else (prompt, "") for prompt in config.sample_prompts)
    at = {name: int(text.removeprefix("at ")) for name, text in wishes.items() if text.startswith("at ")}
    report = RunReporter(FileSink(run.events, about["attempt"]))
    done = run.checkpoint_steps() if about.get("resume") else []
    report.started(total_steps=config.max_steps, world_size=1, device="cpu", parameters=100, trainable_parameters=100)
    step = done[-1] if done else 0
    while step < config.max_steps:
        if run.stop_requested and "deaf" not in wishes:
            return end(run, report, step, "stopped", wishes)
        if run.pause_requested:
            checkpoint(run, report, step)
            report.paused(step)
            while run.pause_requested and not run.stop_requested:
                time.sleep(0.01)
            report.continued(step)
            continue
        step += 1
        time.sleep(float(wishes.get("sleep", "0.002")))
        misbehave(step, at, report, about["attempt"])
        report.metrics(step, {"loss/train": loss(step), "learning_rate": 1e-3, "grad_norm": 1.0})
        if config.eval_every and step % config.eval_every == 0:
            report.metrics(step, {"loss/heldout": loss(step) + 0.1})
        if config.sample_every and step % config.sample_every == 0:
            report.sample(step, "Who are you?", f"I am at step {step}.")
        if config.checkpoint_every and step % config.checkpoint_every == 0:
            checkpoint(run, report, step)
    return end(run, report, step, "finished", wishes)


def misbehave(step, at, report, attempt):
    if attempt > 1:
        return
    if at.get("fail") == step:
        report.failed(step, "It broke.", "Mend it.")
        sys.exit(1)
    if at.get("nan") == step:
        report.metrics(step, {"loss/train": math.nan})
        report.failed(step, "The loss is not a number.", "Lower the learning rate.")
        sys.exit(1)
    if at.get("exit") == step:
        sys.exit(3)
    if at.get("memory") == step:
        print("RuntimeError: CUDA error: out of memory", flush=True)
        os._exit(1)
    if at.get("die") == step:
        os.kill(os.getpid(), signal.SIGKILL)


def checkpoint(run, report, step):
    folder = run.checkpoint(step)
    if not folder.is_dir():
        unfinished = folder.with_name("." + folder.name)
        unfinished.mkdir(parents=True, exist_ok=True)
        write_json(unfinished / "state.json", {"step": step})
        unfinished.rename(folder)
    report.checkpoint(step, folder.relative_to(run.path).as_posix())


def end(run, report, step, how, wishes):
    checkpoint(run, report, step)
    run.model.mkdir(exist_ok=True)
    write_json(run.model / "config.json", {"step": step})
    getattr(report, how)(step)
    if "linger" in wishes:
        time.sleep(600)


if __name__ == "__main__":
    print(json.dumps({"hello": os.getpid()}), flush=True)
    main(sys.argv[-1])
