"""A person's own reward function, run in a child process that can hang, crash or grow without harm to anything else.

The child (`child.py`) is started as `python -I` with limits on memory, files and processes, without a network where the
system allows that, and each sample has a time limit. When a sample breaks the child, the child and all it has started
are killed, and the next sample gets a new one. This protects against accidents, not against somebody who means harm.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from lab.errors import ConfigError
from lab.rewards.sample import Sample, Score, failed

CHILD = Path(__file__).with_name("child.py")
SECONDS = 2.0
"""Time that a function may take for one sample."""
START_SECONDS = 20.0
"""Time that the child may take to start and to read the source."""
LONGEST_ANSWER = 4096
_KEPT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL")


class FunctionReward:
    """The reward of a Python source that defines `reward(prompt, completion, answer)`. A context manager."""

    def __init__(self, source: str, seconds: float = SECONDS) -> None:
        self._source = source
        self._seconds = seconds
        self._child: _Child | None = None

    def __call__(self, samples: Sequence[Sample]) -> list[Score]:
        """Raises `ConfigError` when the source cannot be run at all."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: Sample) -> Score:
        if self._child is None:
            self._child = _Child(self._source)
        reply = self._child.ask(asdict(sample), self._seconds)
        if reply is None or reply == {}:
            late = reply is None
            self.close()
            return failed(f"It took more than {self._seconds:g} seconds." if late else "It ended its process.")
        if "error" in reply:
            return failed(str(reply["error"]))
        value = float(reply["value"])
        return Score(value) if math.isfinite(value) else failed(f"It gave {value}, which is no number to learn from.")

    def close(self) -> None:
        """End the child and everything it started."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> FunctionReward:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Child:
    """One child process. Replies come through a thread, so that waiting for one can end."""

    def __init__(self, source: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nudge-reward-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,
        )
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        reply = self.ask({"source": source}, START_SECONDS)
        if not reply or "error" in reply:
            self.kill()
            why = reply["error"] if reply else "it does not come to an end" if reply is None else "its process ended"
            raise ConfigError(f"The reward function cannot be used: {why}.", "reward")

    def _read(self, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed, or no JSON: as if it had ended
            while line := stream.readline(LONGEST_ANSWER):
                reply = json.loads(line)
                if not isinstance(reply, dict):
                    break
                self._replies.put(reply)
        self._replies.put({})

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The reply to a line: {} when the child has ended, None when it takes too long."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return self._replies.get(timeout=seconds)
        except queue.Empty:
            return None
        except OSError:
            return {}

    def kill(self) -> None:
        """End its whole process group."""
        with contextlib.suppress(OSError):  # it has ended already
            if os.name == "nt":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._folder.cleanup()
