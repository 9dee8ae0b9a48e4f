"""The training process: reads the folder of a run, trains, and says how it ended.

    python -m lab.worker <folder of a run>

run.json gives `model_folder` (the model to start from; for a new model, whose tokenizer it uses), `attempt` and
`resume`; config.json the settings; data/*.jsonl what to learn from. This is the one place where an exception becomes a
`failed` event. Several processes are started by `accelerate launch`; rank 0 speaks.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path

from lab.events import FileSink, RunReporter, last_event, null_reporter
from lab.file_lock import FileLock
from lab.run_dir import RunDir
from lab.worker.explain import explain


def main(folder: str) -> int:
    """Run the run in `folder`; gives the exit code. Only one worker at a time holds a run."""
    run = RunDir(Path(folder).resolve())
    if os.environ.get("RANK", "0") != "0":
        work(run, null_reporter())
        return 0
    lock = FileLock(run.lock)
    if not lock.acquire(timeout=5):
        print(f"Another process already works on {run.path}.", file=sys.stderr)
        return 1
    report = RunReporter(FileSink(run.events, run.about().get("attempt", 1)))
    try:
        work(run, report)
    except BaseException as error:
        traceback.print_exc()
        said, advice = explain(error)
        last = last_event(run.events, {"metrics"})
        report.failed(last.fields["step"] if last else 0, said, advice, traceback.format_exc())
        return 1
    return 0


def work(run: RunDir, report: RunReporter) -> None:
    """Train as the run's settings say, and leave the result in its `model` folder. `lab/worker/<algorithm>.py` puts
    together what the page of this algorithm needs."""
    config = run.config()
    keep_freed_memory()
    importlib.import_module(f"lab.worker.{config.algorithm}").work(run, config, report)


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step instead of giving it back page by page: about 5 % faster."""
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, (1 << 31) - 1)
