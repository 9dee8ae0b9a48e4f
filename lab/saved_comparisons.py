"""The comparisons that somebody kept: one JSON file each, in a folder of the workspace."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lab.comparison import Comparison
from lab.errors import DataError
from lab.run_dir import write_json

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Comparisons:
    """The saved comparisons of a workspace: one JSON file each, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, comparison: Comparison) -> Path:
        """Keep a comparison; saving it again replaces it."""
        path = self._path(comparison.id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, comparison.to_json())
        except OSError as error:
            raise DataError(f"The comparison could not be saved in {self.folder}: {error}.") from error
        return path

    def list(self) -> list[Comparison]:
        """The saved ones, the newest first; a file that is broken is left out."""
        found = []
        for path in self.folder.glob("*.json"):
            try:
                found.append(self.get(path.stem))
            except DataError:
                continue
        return sorted(found, key=lambda comparison: comparison.created, reverse=True)

    def get(self, id: str) -> Comparison:
        """A saved comparison. Raises `DataError` when there is none, or when its file is broken."""
        path = self._path(id)
        try:
            return Comparison.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise DataError(f"There is no saved comparison {id!r}.") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}.") from error

    def has(self, id: str) -> bool:
        """Whether a comparison of this id is saved."""
        return self._path(id).is_file()

    def remove(self, id: str) -> None:
        """Delete a saved comparison."""
        self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise DataError(f"There is no saved comparison {id!r}.")
        return self.folder / f"{id}.json"
