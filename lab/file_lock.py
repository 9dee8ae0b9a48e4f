"""A lock that the operating system lets go of when its holder dies: who owns a workspace, whether a worker lives.

A pid can be given to another process; a lock cannot be held by the dead. `flock` on Unix, `msvcrt.locking` on Windows.
The file stays behind when the lock is gone: only the lock counts, never the file.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 1 << 30
"""Windows locks bytes, and others cannot read a locked byte: lock one that nobody reads."""


class FileLock:
    """One lock, held from a successful `acquire` to `release` or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self, timeout: float = 0.0) -> bool:
        """Take the lock, trying for `timeout` seconds (somebody who only looks may hold it for an instant).

        False when another holds it. Raises `OSError` when the file cannot be made.
        """
        deadline = time.monotonic() + timeout
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def _try(self) -> bool:
        if self._file is not None:
            return True
        file = self.path.open("ab")
        if _locked(file):
            self._file = file
            return True
        file.close()
        return False

    def release(self) -> None:
        """Let go of the lock. Does nothing when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on `path`. One that is missing or not ours to read is held by nobody."""
    try:
        with path.open("rb") as file:
            return not _locked(file)
    except OSError:
        return False


def _locked(file: BinaryIO) -> bool:
    """Lock an open file; closing it lets go. False when another holds the lock."""
    try:
        if sys.platform == "win32":
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
