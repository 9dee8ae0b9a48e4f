"""The model process: holds the models one talks to, and answers over HTTP on this machine, behind a token.

    python -m lab.model_server        token in NUDGE_MODEL_TOKEN, memory budget in bytes in NUDGE_MODEL_BUDGET

It says its port on stdout as one line of JSON and ends when its stdin closes, so that it never outlives the app. Every
question is a POST of a JSON object to /<route>, the routes being the methods of `lab/model_engine.py`. The answer is a
JSON object, or for the `STREAMS` one a line while the model is at work; an error is {error, kind}. Hanging up stops
the writing before the next token. /health answers while torch is still being imported; everything else waits for it.
"""

from __future__ import annotations

import hmac
import json
import os
import select
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

from lab.errors import LabError

ANSWERS = (
    *("models", "load", "unload", "prompt", "next", "distribution", "score", "nudge", "speed", "rates", "give_up"),
    *("inside", "weights", "turn", "reward", "reward_without"),
)
STREAMS = ("stream", "complete", "compress", "decompress", "sorter")


class ModelServer(ThreadingHTTPServer):
    """The listening side. `engine` is there once `ready` is set."""

    daemon_threads = True
    engine: Any
    """An `Engine` (lab/model_engine.py)."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.token = token
        self.ready = threading.Event()

    def start(self) -> None:
        """Answer requests, in threads of its own."""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """One request. The connection is closed after it."""

    server: ModelServer

    def do_GET(self) -> None:
        """Say whether questions would be answered at once."""
        if self._is_ours() and self._route_is("health"):
            self._answer(200, {"ready": self.server.ready.is_set()})

    def do_POST(self) -> None:
        """Answer a question."""
        if not self._is_ours() or not self._route_is(*ANSWERS, *STREAMS):
            return
        route = self.path.removeprefix("/")
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.ready.wait()
            answer = getattr(self.server.engine, route)(request)
            if route in STREAMS:
                self._stream(answer)
            else:
                self._answer(200, answer)
        except ConnectionError:
            return
        except BaseException as error:
            self._answer(400, _explained(error))

    def _is_ours(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        if hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return True
        self._answer(401, {"error": "This process answers only the app that started it.", "kind": "LabError"})
        return False

    def _route_is(self, *routes: str) -> bool:
        if self.path.removeprefix("/") in routes:
            return True
        self._answer(404, {"error": f"There is nothing at {self.path}.", "kind": "LabError"})
        return False

    def _stream(self, parts: Iterator[dict[str, Any]]) -> None:
        first = next(parts)  # an error up to here is an answer of its own
        self.send_response(200)
        self.end_headers()
        try:
            for part in chain([first], parts):
                if self._gone():
                    return
                if part:
                    self._line(part)
        except ConnectionError:
            return
        except BaseException as error:
            self._line(_explained(error))
        finally:
            parts.close()  # type: ignore[attr-defined]

    def _gone(self) -> bool:
        """Whether the other side has hung up."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1)

    def _line(self, value: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(value).encode() + b"\n")

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: what a person writes to a model stays out of files."""


def _explained(error: BaseException) -> dict[str, str]:
    """What went wrong, as an answer. Anything but a `LabError` leaves its traceback in the log."""
    if isinstance(error, LabError):
        return {"error": str(error), "kind": type(error).__name__}
    traceback.print_exc()
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        message = "There is not enough memory to do this with this model. Try a shorter text or a smaller model."
        return {"error": message, "kind": "ModelError"}
    return {"error": f"{type(error).__name__}: {error}", "kind": "bug"}


def _watch_stdin() -> None:
    """End this process, at once, when its stdin closes: the app is gone or wants it to end."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until stdin closes."""
    server = ModelServer(os.environ.pop("NUDGE_MODEL_TOKEN"))
    print(json.dumps({"port": server.server_port}), flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads stdout any more: a library may fill it
    server.start()
    threading.Thread(target=_watch_stdin, daemon=True).start()
    import torch

    from lab.model_engine import Engine

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))  # a run may be training on the others
    device = "cuda" if torch.cuda.is_available() else "cpu"
    server.engine = Engine(int(os.environ.get("NUDGE_MODEL_BUDGET", 1 << 32)), device)
    server.ready.set()
    threading.Event().wait()


if __name__ == "__main__":
    main()
