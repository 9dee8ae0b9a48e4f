"""Every error that Nudge raises on purpose.

    LabError
    ├── ConfigError            a setting has a value that cannot work
    ├── DataError              a file or a row cannot be used; carries the import report when there is one
    ├── ModelError             a model cannot be found, loaded, or used for what was asked
    ├── RunError               a run cannot do what was asked in the state it is in
    └── WorkspaceLockedError   another process has this workspace open

A message says what is wrong, where, and what to do next. The engine raises these and never logs and goes on; the
worker's `main` and one decorator in the UI are the only places that catch them.
"""

from __future__ import annotations

from typing import Any


class LabError(Exception):
    """Something a person can put right; `str(error)` is a sentence for that person."""


class ConfigError(LabError):
    """A setting has a value that cannot work. `field` names it when a single field is at fault."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class DataError(LabError):
    """A file or a row cannot be used. `report` is the import report when a file was read."""

    def __init__(self, message: str, report: Any = None) -> None:
        super().__init__(message)
        self.report = report


class ModelError(LabError):
    """A model cannot be found, loaded, or used for what was asked."""


class RunError(LabError):
    """A run cannot do what was asked in the state it is in."""


class WorkspaceLockedError(LabError):
    """Another process has this workspace open; the message names it."""
