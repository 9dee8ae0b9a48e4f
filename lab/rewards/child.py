"""The child process that runs a person's reward function: `python -I child.py`, one JSON line in, one out.

The first line is the source. It must define `reward(prompt, completion, answer)`, of which it may leave out what it
does not need. This file imports nothing of Nudge. What it closes off (files, processes, memory, the network where the
system allows) guards against accidents; it is no prison.
"""

import contextlib
import inspect
import json
import os
import sys

MEMORY = 1 << 30
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
DIE_WITH_PARENT, KILL = 1, 9


def close_off() -> None:
    """Take away what a reward function does not need."""
    try:
        import ctypes
        import resource
    except ImportError:
        return  # Windows has neither; the time limit remains
    system = ctypes.CDLL(None)
    for call in (lambda: system.prctl(DIE_WITH_PARENT, KILL), lambda: _unshare(system)):
        with contextlib.suppress(AttributeError, OSError):  # not on this system
            call()
    limits = {"RLIMIT_AS": MEMORY, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": 64}
    for name, limit in limits.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (limit, limit))


def _unshare(system: object) -> None:
    """A network namespace of its own, which has no network."""
    if system.unshare(NEW_NETWORK) != 0:  # type: ignore[attr-defined]
        system.unshare(NEW_USER | NEW_NETWORK)  # type: ignore[attr-defined]


def function_of(source: str) -> object:
    """The function `reward` that the source defines."""
    names: dict[str, object] = {"__name__": "reward"}
    exec(compile(source, "reward.py", "exec"), names)
    function = names.get("reward")
    if not callable(function):
        raise NameError("the source defines no function named `reward`")
    return function


def wanted(function: object) -> list[str]:
    """The names of the values that the function takes."""
    known = ["prompt", "completion", "answer", "category", "ended"]
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return known
    return [parameter.name for parameter in parameters if parameter.name in known]


def said(error: BaseException) -> str:
    """An exception in one line, with the line of the source where it was raised."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "reward.py":
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    at = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f"{type(error).__name__}: {str(error)[:300]}" + (f" (line {at})" if at else "")


def main() -> None:
    """Answer lines until there are no more."""
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)

    def answer(**values: object) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    source = json.loads(questions.readline())["source"]
    close_off()
    try:
        function = function_of(source)
        names = wanted(function)
    except BaseException as error:
        return answer(error=said(error))
    answer(ready=True)
    for line in questions:
        sample = json.loads(line)
        try:
            answer(value=float(function(**{name: sample[name] for name in names})))  # type: ignore[operator]
        except BaseException as error:
            answer(error=said(error))
    return None


if __name__ == "__main__":
    sys.setrecursionlimit(2000)
    main()
