"""Labels become a data set of the workspace, which remembers the votes that every row stands on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lab.errors import ConfigError
from lab.labeling.desk import Project
from lab.labeling.export import ExportConfig, Manifest, export

if TYPE_CHECKING:
    from lab.readers import ImportReport

READ_AS = {"trl": "preferences", "sft": "conversations"}
"""Format of the export → kind of data set it becomes."""


class Keep(Protocol):
    """Takes a file into the workspace as a data set: `Datasets.add`."""

    def __call__(self, path: Path, name: str, *, labels: dict[str, Any]) -> ImportReport:
        """Read the file and keep it under a name, with a word on the labels it is made of."""
        ...


def keep_nothing(path: Path, name: str, *, labels: dict[str, Any]) -> ImportReport:
    """Where there are no data sets."""
    raise ConfigError("There are no data sets here to add labels to.", "name")


def make_dataset(project: Project, name: str, keep: Keep, format: str, config: ExportConfig) -> Manifest:
    """Keep the labels of a project as a data set called `name`; gives the manifest, which the data set has too.

    Raises `ConfigError` for a format that nothing is trained on here, `DataError` for a name that is taken or cannot be
    one, and when there is nothing to keep.
    """
    if format not in READ_AS:
        raise ConfigError(f"A data set is made of {' or '.join(READ_AS)} rows, not {format!r}.", "format")
    with tempfile.TemporaryDirectory(prefix="nudge-labels-") as folder:
        file = Path(folder) / f"{project.id}.jsonl"
        manifest = export(project, file, format, config)
        keep(file, name, labels=manifest.to_json() | {"project_id": project.id})
    return manifest
