"""A long work in a thread of its own, followed by the page: how far it is, and an end when nobody looks any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

LOOK_SECONDS = 0.25


class _NobodyLooksError(Exception):
    """Raised inside the work to end it."""


def followed(work: Callable[[Callable[[int, int], None]], Any]) -> Generator[tuple[int, int], None, Any]:
    """Do `work(watch)`; yields (done, of) now and then and returns its result. Errors come up here. Closing the
    generator ends the work at its next word."""
    state: dict[str, Any] = {"now": (0, 0), "wanted": True}
    over = threading.Event()

    def watch(done: int, of: int) -> None:
        state["now"] = done, of
        if not state["wanted"]:
            raise _NobodyLooksError

    def run() -> None:
        try:
            state["result"] = work(watch)
        except BaseException as error:  # it comes up in the thread of the page
            state["error"] = error
        over.set()

    threading.Thread(target=run, daemon=True).start()
    try:
        while not over.wait(LOOK_SECONDS):
            yield state["now"]
    finally:
        state["wanted"] = False
    if "error" in state:
        raise state["error"]
    return state["result"]
