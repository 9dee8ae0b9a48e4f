"""Workers as processes of the operating system: start one, see whether it lives, end it, read its last words.

A worker gets a process group of its own and writes to its run's log file, never to a pipe, so it outlives the app. It
is known again after a restart by its pid with the time it started, and by the lock it holds in its run's folder.
Windows has no process groups of this kind: there `taskkill /T` ends the tree. (Written for Windows, tested on Linux.)
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from lab.errors import RunError
from lab.file_lock import is_held
from lab.run_dir import RunDir

ROOT = Path(__file__).resolve().parent.parent
"""The folder that `lab` is imported from."""


@dataclass(frozen=True)
class Worker:
    """A started worker: the leader of its process group, told apart from a later process with the same pid."""

    pid: int
    identity: str
    """When the process started, on which boot of which machine."""
    folder: str
    """The run it was started for: a copy of that folder has no worker."""

    def to_json(self) -> dict[str, Any]:
        """The worker as JSON values, for run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Worker | None:
        """The worker from `to_json()`'s values; None for anything else."""
        try:
            return cls(int(values["pid"]), str(values["identity"]), str(values["folder"]))
        except (TypeError, KeyError, ValueError):
            return None


def identity_of(pid: int) -> str | None:
    """What tells this process from every other that had or will have its pid; None when it is not alive.

    Linux gives the start in ticks since the boot, which no change of the clock moves.
    """
    try:
        if sys.platform == "linux":
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
        process = psutil.Process(pid)
        is_dead = process.status() == psutil.STATUS_ZOMBIE
        return None if is_dead else f"{platform.node()}:{process.create_time():.0f}"
    except (OSError, psutil.Error):
        return None


class Launcher:
    """Starts workers and ends them. `worker` is what Python is asked to run, with the run's folder after it."""

    def __init__(self, worker: tuple[str, ...] = ("-m", "lab.worker")) -> None:
        self._worker = worker
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def command(self, run: RunDir, processes: int) -> list[str]:
        """The command that starts the worker of a run: directly, or by accelerate for several processes."""
        if processes == 1:
            return [sys.executable, *self._worker, str(run.path)]
        return [
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--multi_gpu", "--num_processes", str(processes), "--num_machines", "1"),
            *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(_free_port())),
            *(*self._worker, str(run.path)),
        ]

    def launch(self, run: RunDir, processes: int) -> tuple[Worker, list[str]]:
        """Start the worker of a run; gives it and its command. Raises `RunError` when it cannot be started."""
        command = self.command(run, processes)
        try:
            with run.log.open("ab") as log:
                log.write(f"\n--- {time.strftime('%Y-%m-%d %H:%M:%S')}: {' '.join(command)}\n".encode())
                log.flush()
                child = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=_environment(processes),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **_detached(),
                )
        except OSError as error:
            raise RunError(f"The training process could not be started: {error}.") from error
        with self._lock:
            self._children[child.pid] = child
        return Worker(child.pid, identity_of(child.pid) or "gone", str(run.path)), command

    def exit_code(self, worker: Worker) -> int | None:
        """How a worker that this process started ended; None when it lives or somebody else started it."""
        with self._lock:
            child = self._children.get(worker.pid)
        return child.poll() if child else None

    def is_alive(self, run: RunDir, worker: Worker | None) -> bool:
        """Whether a worker of this run lives: by its lock, or (before it has taken that) by its pid and start."""
        return is_held(run.lock) or (worker is not None and self._is_same(run, worker))

    def _is_same(self, run: RunDir, worker: Worker) -> bool:
        self.exit_code(worker)
        return worker.folder == str(run.path) and identity_of(worker.pid) == worker.identity

    def find(self, run: RunDir) -> Worker | None:
        """The worker of a run whose pid was never written down (the app was killed in between), by its command."""
        members = self._members(run, Worker(0, "", str(run.path)))
        oldest = min(members, key=lambda process: (process.create_time(), process.pid), default=None)
        return Worker(oldest.pid, identity_of(oldest.pid) or "gone", str(run.path)) if oldest else None

    def kill(self, run: RunDir, worker: Worker, patience: float = 5.0) -> bool:
        """End the whole group at once; True once no process of it is left, False if some remain after `patience`."""
        deadline = time.monotonic() + patience
        while True:
            if os.name == "posix":
                self._kill_group(run, worker)
            elif self._is_same(run, worker):
                subprocess.run(["taskkill", "/T", "/F", "/PID", str(worker.pid)], capture_output=True, check=False)
            if not self.is_alive(run, worker) and not self._members(run, worker):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)

    def _kill_group(self, run: RunDir, worker: Worker) -> None:
        """Kill the group while its leader lives (else its number may be another's), and what is left, one by one."""
        if self._is_same(run, worker):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)
        for process in self._members(run, worker):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _members(self, run: RunDir, worker: Worker) -> list[psutil.Process]:
        """Living processes of a run: its worker's group, and the ranks, which torch gives groups of their own."""
        if worker.folder != str(run.path):
            return []
        found = psutil.process_iter(["pid", "cmdline", "status"])
        return [
            process
            for process in found
            if process.info["status"] != psutil.STATUS_ZOMBIE and _is_worker_of(run, process.info["cmdline"])
        ]


def _is_worker_of(run: RunDir, command: list[str] | None) -> bool:
    return bool(command and command[-1] == str(run.path) and "python" in Path(command[0]).name.lower())


@cache
def versions() -> dict[str, str]:
    """What a worker stands on, for run.json."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("nudge-lab", "torch", "transformers", "accelerate", "peft", "safetensors"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _free_port() -> int:
    """A port on this machine that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _environment(processes: int) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    if processes > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    return environment


def _detached() -> dict[str, Any]:
    """What makes a child outlive this process and lead a group of its own."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


# --- last words ------------------------------------------------------------------------------------------------------


def log_tail(run: RunDir, lines: int = 40, reach: int = 1 << 16) -> str:
    """The last lines of a run's log, progress bars as they stood last."""
    try:
        with run.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - reach))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(shown[-lines - 1 :] if shown[-1] == "" else shown[-lines:]).strip("\n")


MEMORY = "Most often that is for want of memory: lower batch_size or max_length, or raise gradient_accumulation."
SIGNS = [
    (r"out of memory|MemoryError|bad_alloc|Cannot allocate memory", "It ran out of memory.", MEMORY),
    (r"No space left on device|Disk quota exceeded", "The disk is full.", "Make room, then continue the run."),
    (r"Signal 9|SIGKILL|exitcode *: *-9|\bKilled\b", "The system ended it.", MEMORY),
    (r"ModuleNotFoundError|ImportError", "A Python package is missing or broken.", "Set the app up again."),
    (r"Address already in use", "Its port was taken by another program.", "Continue the run: it takes another port."),
]
"""What in the log of a crashed run says why: pattern, what happened, what to try."""
SIGNALS = {
    9: ("The system ended it.", MEMORY),
    11: ("It crashed inside a library (segmentation fault).", "Continue the run; if it happens again, report the log."),
    7: (
        "It crashed on a bus error.",
        "Most often that is a full disk or full shared memory: make room, then continue.",
    ),
    15: ("Somebody ended it from outside.", "Continue the run."),
}


def why_crashed(run: RunDir, exit_code: int | None) -> tuple[str, str]:
    """Why a worker that said nothing is gone, as far as its exit code and its log tell, and what to try."""
    tail = log_tail(run, 60)
    for pattern, error, advice in SIGNS:
        if re.search(pattern, tail.rpartition("\n--- ")[2]):
            return error, advice
    if exit_code is not None and -exit_code in SIGNALS:
        return SIGNALS[-exit_code]
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return f"The training process is gone{code} without a word.", "Its log says more. " + MEMORY
