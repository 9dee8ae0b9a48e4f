"""Long work of a callback: done in a thread, told about on the page while it goes on, and ended when nobody waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")
Tell = Callable[[str], None]

PAUSE = 0.2
"""Seconds between two words on the page at least."""


class NobodyWaitsError(Exception):
    """Ends the work from inside: its page was closed, or somebody pressed Stop."""


def told(work: Callable[[Tell], Result]) -> Iterator[tuple[str, Result | None]]:
    """Do `work`, which is given a function to say how far it is. Yields what it says, with None, and at the end "" with
    what it gives; raises what it raises. Closing the iterator ends the work at the next word."""
    words: queue.Queue[str | None] = queue.Queue()
    over, done, failed = threading.Event(), list[Result](), list[BaseException]()

    def tell(text: str) -> None:
        if over.is_set():
            raise NobodyWaitsError
        words.put(text)

    def run() -> None:
        try:
            done.append(work(tell))
        except BaseException as error:  # raised again where it is waited for
            failed.append(error)
        finally:
            words.put(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        while (text := words.get()) is not None:
            yield text, None
            over.wait(PAUSE)
            with words.mutex:  # of what was said meanwhile, only the last
                said = list(words.queue)
                words.queue.clear()
                words.queue.extend(said[-1:] if None not in said else [None])
    finally:
        over.set()
    if failed:
        raise failed[0]
    yield "", done[0]
