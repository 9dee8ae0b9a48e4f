"""Pages are measured in a process of their own: a page that hangs it or takes all memory costs that page, no more."""

from __future__ import annotations

import base64
import contextlib
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

from lab.corpus.measure import Measured, measure
from lab.corpus.page import Page
from lab.corpus.rules import Rule, Rules

SECONDS = 10.0
"""A page may take so long."""
_STARTING = 60.0
_MEMORY = 3 << 30


class Measuring:
    """Measures pages, one after another, in a child process that starts with the first one. Not for several threads."""

    def __init__(self, rules: Rules, language: str = "en", seconds: float = SECONDS) -> None:
        self.seconds = seconds
        table = [[getattr(rule, name) for name in Rule.__slots__] for rule in rules]
        self._settings = {"rules": table, "order": rules.order, "language": language}
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()

    def measure(self, page: Page) -> Measured:
        """What is found in a page; a page that could not be measured has a `problem`."""
        if page.problem:
            return _unmeasured(page, page.problem)
        if self._child is None or self._child.poll() is not None:
            self._start()
        try:
            answer = self._ask(_packed(page), self.seconds)
        except queue.Empty:
            self.close()
            return _unmeasured(page, f"took longer than {self.seconds:g} s to read")
        if answer is None:
            self.close()
            return _unmeasured(page, "ended the process that read it: out of memory, or broken in a new way")
        if "error" in answer:
            return _unmeasured(page, answer["error"])
        return Measured.from_json(answer)

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            if child.stdin is not None:
                with contextlib.suppress(OSError):
                    child.stdin.close()

    def _start(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r}); "
        code += "from lab.corpus.child import serve; serve()"
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._lines = queue.Queue()
        threading.Thread(target=_pump, args=(self._child, self._lines), daemon=True).start()
        self._ask(self._settings, _STARTING)

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The child's answer, or None when it has ended. Raises `queue.Empty` when it takes too long."""
        child = self._child
        assert child is not None and child.stdin is not None
        line = orjson.dumps(request) + b"\n"
        writer = threading.Thread(target=_write, args=(child, line), daemon=True)
        writer.start()  # a page is larger than a pipe holds, and the child may not be reading
        answer = self._lines.get(timeout=seconds)
        return orjson.loads(answer) if answer else None

    def __del__(self) -> None:
        self.close()


def _write(child: subprocess.Popen[bytes], line: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        assert child.stdin is not None
        child.stdin.write(line)
        child.stdin.flush()


def _pump(child: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    assert child.stdout is not None
    with child.stdout as output:
        for line in output:
            lines.put(line)
    lines.put(b"")


def _unmeasured(page: Page, problem: str) -> Measured:
    return Measured(values={"unreadable": 1.0, "page_size": page.size / 1e6}, problem=problem)


def _packed(page: Page) -> dict[str, Any]:
    raw = isinstance(page.html, bytes)
    html = base64.b64encode(page.html).decode() if isinstance(page.html, bytes) else _whole(page.html)
    return {"id": page.id, "url": _whole(page.url), "html": html, "raw": raw, "text": _whole(page.text)}


def _whole(text: str | None) -> str | None:
    """Without halves of surrogate pairs, which no encoding has."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _unpacked(sent: dict[str, Any]) -> Page:
    html = base64.b64decode(sent["html"]) if sent["raw"] else sent["html"]
    return Page(sent["id"], sent["url"], html, sent["text"])


def serve() -> None:
    """What the child does: the first line of stdin has the rules, every further one a page."""
    _limit_memory()
    settings = orjson.loads(sys.stdin.buffer.readline())
    rules = Rules([Rule(*row) for row in settings["rules"]], settings["order"])
    measure(Page("", text="The first one takes longest: what is needed is imported now."), rules)
    _answer({})
    for line in sys.stdin.buffer:
        page = _unpacked(orjson.loads(line))
        try:
            _answer(measure(page, rules, settings["language"]).to_json())
        except MemoryError:
            _answer({"error": "needs too much memory"})
        except Exception as error:  # a page can raise whatever the libraries raise
            _answer({"error": f"could not be read: {type(error).__name__}: {str(error)[:200]}"})


def _answer(values: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(values) + b"\n")
    sys.stdout.buffer.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
