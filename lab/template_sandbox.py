"""Chat templates are programs: Jinja in a sandbox, bounded, in a process of its own when somebody else wrote it.

The environment is the one that transformers gives a chat template (`trim_blocks`, `lstrip_blocks`, loop controls,
`raise_exception`, `strftime_now`, `tojson` without HTML escapes), so that a model's own template renders the same here.
The `{% generation %}` block marks what the assistant writes: it comes out between the two characters of `marks`.

Jinja's sandbox has no time limit and `{{ "a" * 10 ** 9 }}` is legal in it. Here the operators that can make something
huge are bounded, the output is bounded, and `IsolatedTemplate` renders in a child process that can be killed.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import jinja2
from jinja2 import nodes, parser
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lab.errors import ModelError

LONGEST_OUTPUT = 8_000_000
"""Characters that one rendered conversation may have."""
_MEMORY = 1 << 30


class TemplateTimeoutError(ModelError):
    """A template did not come to an end in time."""


class Template(Protocol):
    """Something that renders messages with a chat template."""

    def render(self, variables: dict[str, Any]) -> str:
        """The text. Raises `ModelError` when the template refuses or fails."""


class _Generation(Extension):
    tags = {"generation"}

    def parse(self, parser: parser.Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        marks = nodes.Name("generation_marks", "load")
        return nodes.CallBlock(self.call_method("_mark", [marks]), [], [], body).set_lineno(line)

    def _mark(self, marks: Any, caller: Callable[[], str]) -> str:
        text = caller()
        return marks[0] + text + marks[1] if isinstance(marks, str) and len(marks) == 2 else text


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%", "+", "<<"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(side) if hasattr(side, "__len__") else 1 for side in (left, right)]
        if operator == "*" and not all(isinstance(side, (int, float)) for side in (left, right)):
            counts = [side for side in (left, right) if isinstance(side, int)]
            if max(sizes) * max([1, *counts]) > LONGEST_OUTPUT:
                raise jinja2.TemplateRuntimeError("a repetition in the template is too long")
        if operator in ("**", "<<") and (abs(left) > 1 << 32 or abs(right) > 64):
            raise jinja2.TemplateRuntimeError("a number in the template is too large")
        if operator == "+" and sum(sizes) > LONGEST_OUTPUT:
            raise jinja2.TemplateRuntimeError("a text in the template is too long")
        if operator == "%" and isinstance(left, str) and any(len(part) > 4 for part in _digits(left)):
            raise jinja2.TemplateRuntimeError("a width in the template is too large")
        return super().call_binop(context, operator, left, right)


def _digits(text: str) -> list[str]:
    return "".join(character if character.isdigit() else " " for character in text).split()


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class SandboxedTemplate:
    """A chat template compiled in this process: for the ones that come with Nudge, or in a process that may hang."""

    def __init__(self, source: str) -> None:
        """Raises `ModelError` with the line when `source` is no Jinja."""
        environment = _Environment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        self.source = source
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise ModelError(f"The chat template has an error in line {error.lineno}: {error.message}.") from error

    def render(self, variables: dict[str, Any]) -> str:
        """The text of the template for `variables`."""
        parts, length = [], 0
        try:
            for part in self._template.generate(variables):
                parts.append(part)
                length += len(part)
                if length > LONGEST_OUTPUT:
                    raise ModelError(f"The chat template writes more than {LONGEST_OUTPUT:,} characters.")
        except jinja2.TemplateError as error:
            raise ModelError(f"The chat template refuses these messages: {error}") from error
        except ModelError:
            raise
        except Exception as error:  # a template can raise whatever Python raises
            raise ModelError(f"The chat template fails: {type(error).__name__}: {error}") from error
        return "".join(parts)


class IsolatedTemplate:
    """The same in a child process that is killed when one conversation takes longer than `seconds`.

    The child starts with the first call and again after it was killed; `close` ends it. Threads take turns.
    """

    def __init__(self, source: str, seconds: float = 5.0) -> None:
        self.source = source
        self.seconds = seconds
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()

    def _start(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parent.parent)!r}); "
        code += "from lab.template_sandbox import serve; serve()"
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_pump, args=(child, lines), daemon=True).start()
        self._child, self._lines = child, lines
        self._ask({"source": self.source}, 30.0)

    def _ask(self, request: dict[str, Any], seconds: float) -> str:
        child = self._child
        assert child is not None and child.stdin is not None
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise TemplateTimeoutError(
                f"The chat template did not finish within {seconds:g} s and was stopped. Does it loop without end?"
            ) from None
        except OSError:
            line = b""
        if not line:
            self.close()
            raise ModelError("The chat template ended its process: it used too much memory, or crashed.")
        answer = json.loads(line)
        if "error" in answer:
            if "source" in request:
                self.close()
            raise ModelError(answer["error"])
        return answer["text"]

    def render(self, variables: dict[str, Any]) -> str:
        """The text of the template for `variables`."""
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._start()
            return self._ask({"variables": variables}, self.seconds)

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            if child.stdin is not None:
                with contextlib.suppress(OSError):  # what it had not yet read
                    child.stdin.close()

    def __del__(self) -> None:
        self.close()


def _pump(child: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    """Read the child's answers until it ends; this thread alone touches its output."""
    assert child.stdout is not None
    with child.stdout as output:
        for line in output:
            lines.put(line)
    lines.put(b"")


def render_untrusted(source: str, variables: dict[str, Any], seconds: float = 5.0) -> str:
    """Render once, in a child process that is killed after `seconds`. `variables` must be JSON values."""
    template = IsolatedTemplate(source, seconds)
    try:
        return template.render(variables)
    finally:
        template.close()


def serve() -> None:
    """What the child process does: the first line of stdin has the template, every further one a conversation."""
    _limit_memory()
    template: SandboxedTemplate | None = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if template is None:
                template, text = SandboxedTemplate(request["source"]), ""
            else:
                text = template.render(request["variables"])
            answer = {"text": text}
        except ModelError as error:
            answer = {"error": str(error)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
