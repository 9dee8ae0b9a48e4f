"""The app's hold on its model process: started when first needed, started again when it died, ended with the app."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from lab.errors import ConfigError, DataError, LabError, ModelError

ROOT = Path(__file__).resolve().parent.parent
SHARE_OF_MEMORY = 0.4
"""Of the machine's memory, what loaded models may take together."""
PATIENCE = 600.0
"""Seconds to wait for the next word of an answer: loading a large model from a slow disk takes minutes."""
PATIENCE_AT_START = 60.0
"""Seconds until a process that was started must say its port."""
LONGEST_LOG = 1 << 20
"""Bytes after which the log is begun anew at a start."""

_KINDS: dict[str, type[LabError]] = {kind.__name__: kind for kind in (LabError, ConfigError, DataError, ModelError)}


class Answer:
    """What comes back for one request."""

    def __init__(
        self, connection: socket.socket, response: http.client.HTTPResponse, lost: Callable[[object], ModelError]
    ) -> None:
        """`lost` says why the process does not answer."""
        self._socket, self._response, self._lost = connection, response, lost
        self._hung_up = False
        self.good = response.status == 200

    def whole(self) -> dict[str, Any]:
        """The answer, when it is a single object. Raises what the process says is wrong."""
        with contextlib.closing(self):
            return self._parsed(self._read(self._response.read))

    def line(self) -> dict[str, Any]:
        """The next object of an answer that has one a line; {} once this side has hung up. Raises as `whole`."""
        text = self._read(self._response.readline)
        if self._hung_up:
            return {}
        if not text.endswith(b"\n"):
            raise self._lost("it broke off")
        return self._parsed(text)

    def close(self) -> None:
        """Hang up: what is still being written is stopped. May be called from another thread, and again."""
        self._hung_up = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # a thread that reads is woken; `_response.close()` would trip it

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._hung_up:
                return b""
            raise self._lost(error) from error

    def _parsed(self, text: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise self._lost(error) from error
        if "error" not in answer:
            return answer
        if kind := _KINDS.get(answer["kind"]):
            raise kind(answer["error"])
        raise RuntimeError(f"The model process ran into a fault of its own, see its log. {answer['error']}")


class ModelProcess:
    """Starts `lab.model_server` and sends it requests. Safe to use from several threads."""

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._token = ""

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def ask(self, route: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer. Raises a `LabError` with what the process says is wrong."""
        return self.open(route, request).whole()

    def open(self, route: str, request: dict[str, Any]) -> Answer:
        """Send a request and give the beginning of its answer. Raises as `ask`."""
        process, port, token = self._running()

        def lost(error: object) -> ModelError:
            return self._lost(process, error)

        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.connect()
            plain = connection.sock
            connection.request("POST", f"/{route}", json.dumps(request), {"Authorization": f"Bearer {token}"})
            answer = Answer(plain, connection.getresponse(), lost)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise lost(error) from error
        if not answer.good:
            answer.whole()
        return answer

    def close(self) -> None:
        """End the process; the next request starts another."""
        with self._lock:
            process = self._closed = self._process
            self._process = None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # --- starting ------------------------------------------------------------------------------------------------

    def _running(self) -> tuple[subprocess.Popen[bytes], int, str]:
        """The process, its port and its token, started if need be."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._start()
            return self._process, self._port, self._token

    def _start(self) -> subprocess.Popen[bytes]:
        self._token = secrets.token_hex(16)
        budget = int(psutil.virtual_memory().total * SHARE_OF_MEMORY)
        environment = os.environ | {"NUDGE_MODEL_TOKEN": self._token, "NUDGE_MODEL_BUDGET": str(budget)}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with self._open_log() as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lab.model_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        assert process.stdout is not None
        too_late = threading.Timer(PATIENCE_AT_START, process.kill)
        too_late.start()
        with process.stdout:
            hello = process.stdout.readline()
        too_late.cancel()
        if not hello:
            raise self._lost(process, "it did not start")
        self._port = json.loads(hello)["port"]
        return process

    def _open_log(self) -> Any:
        try:
            self._log_file.parent.mkdir(parents=True, exist_ok=True)
            long = self._log_file.exists() and self._log_file.stat().st_size > LONGEST_LOG
            return self._log_file.open("wb" if long else "ab")
        except OSError:  # a workspace that is only for looking at
            return Path(os.devnull).open("wb")

    # --- when it is gone -----------------------------------------------------------------------------------------

    def _lost(self, process: subprocess.Popen[bytes], error: object) -> ModelError:
        """Why there is no answer, as an error for a person."""
        try:
            status = process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return ModelError(f"The model process did not answer ({error}). Ask again.")
        reason = f"ended with status {status}"
        if status < 0:
            reason = f"was killed (signal {-status})"
        if os.name != "nt" and status == -signal.SIGKILL:
            reason = "was killed, most often for lack of memory"
        if process is self._closed:
            reason = "was closed"
        return ModelError(f"The model process {reason}. Ask again: it starts anew by itself.{self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        except OSError:
            return ""
        return "".join(f"\n    {line}" for line in lines)
