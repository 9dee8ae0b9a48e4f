"""Turns: a lock that goes to who has waited longest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Whoever gives a turn up and asks again comes after all who wait: the processor is shared fairly."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._next, self._now = 0, 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and give it up at the end."""
        with self._condition:
            mine, self._next = self._next, self._next + 1
            self._condition.wait_for(lambda: self._now == mine)
        try:
            yield
        finally:
            with self._condition:
                self._now += 1
                self._condition.notify_all()
