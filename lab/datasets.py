"""The data sets of a workspace: what people uploaded, beside what is built in.

<workspace>/datasets/<name>/     see lab/dataset_store.py
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import orjson

from lab.builtin_datasets import BuiltinDataset, builtin_names, is_builtin
from lab.conversation import Conversation
from lab.dataset_import import checked_name, complete, name_from, write_import, write_without
from lab.dataset_store import StoredDataset, clean_up, discard, new_folder, publish, split, to_line, write_split
from lab.errors import DataError
from lab.inspection import Inspection, fits, inspect_records, template_of
from lab.model_folder import weights
from lab.readers import ImportReport, Reading
from lab.readers.census import Census, sentences
from lab.readers.format import KINDS, Record
from lab.readers.reading import Columns
from lab.readers.report import Cancelled, Watch
from lab.text_sources import TextSource, is_source

_TOLD = ("name", "format", "rows", "source", "sha256", "fix", "fill", "from", "left_out")
_ListOfInfos = list["DatasetInfo"]
_Records = list[Record]
_Names = list[str]


class Journal(Protocol):
    """Where an action is written down before it is acknowledged."""

    def append(self, kind: str, fields: dict[str, Any]) -> Any:
        """Write down an action."""


@dataclass(frozen=True)
class DatasetInfo:
    """A data set at hand. `kind` is one of `conversations preferences problems documents`; `created` is UTC."""

    name: str
    kind: str
    rows: int
    created: datetime | None
    source: str
    bytes: int
    format: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """What was noticed in the rows: see `lab.readers.census.NOTICES`."""
    distinct: int = 0
    """Rows that are different from each other."""


class Datasets:
    """The data sets of one workspace. Safe to use from any thread of the process that owns the folder."""

    def __init__(self, folder: Path, journal: Journal | None = None) -> None:
        self._folder = Path(folder)
        self._journal = journal
        self._lock = threading.Lock()
        self._builtin: dict[str, DatasetInfo] = {}
        if self._folder.is_dir():
            clean_up(self._folder)

    # --- adding and removing -------------------------------------------------------------------------------------

    def add(
        self,
        path: Path | str,
        name: str | None = None,
        format: str | Columns | None = None,
        replace: bool = False,
        *,
        fix: bool = False,
        fill: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        cancelled: Cancelled | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> ImportReport:
        """Read a file, a folder of texts, or `hub:org/name`, and store its examples under `name` (its own when None).

        The rows that can be used are kept and the others reported. `format`, `fix` and `fill` are those of `Reading`;
        `watch` is told how far it has come, and when `cancelled()` is true the import ends and leaves nothing. `labels`
        says which votes the rows stand on, where people made them here. Raises `DataError`, carrying the report, when
        no row can be used; also for a name that is taken or cannot be one.
        """
        if is_source(path):
            source = TextSource(str(path))
            name = checked_name(name or name_from(Path(source.name)))
            self._require_free(name, replace)
            with source.written() as file:
                return self.add(file, name, "documents", replace, watch=watch, cancelled=cancelled)
        path = Path(path)
        name = checked_name(name if name is not None else name_from(path))
        self._require_free(name, replace)
        reading = Reading(path, format, fix=fix, fill=fill, watch=watch, cancelled=cancelled)
        with new_folder(self._folder) as folder:
            about = write_import(folder, reading, path, name, cancelled)
            about |= {"fix": fix, "fill": dict(fill or {})} | ({"labels": dict(labels)} if labels else {})
            self._publish(folder, about, replace)
        return reading.report

    def _publish(self, folder: Path, about: dict[str, Any], replace: bool) -> None:
        """Give a set that is written in `folder` its name, once its journal entry is on the disk."""
        StoredDataset(folder).write_about(about)
        action = {key: about[key] for key in _TOLD if key in about} | {"holds": about["kind"]}
        with self._lock:
            self._require_free(about["name"], replace)
            publish(folder, self._folder / about["name"], lambda: self._write_down("dataset added", action))

    def _write_down(self, kind: str, fields: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal.append(kind, fields)

    def _require_free(self, name: str, replace: bool) -> None:
        same = [each for each in self._names() if each.lower() == name.lower()]
        if same and not (replace and same == [name]):
            raise DataError(f"There is a data set {same[0]!r} already. Choose another name, or replace it.")

    def filtered(
        self,
        name: str,
        new_name: str,
        drop: Iterable[str] = (),
        replace: bool = False,
        *,
        longest: int | None = None,
        model_folder: Path | None = None,
    ) -> DatasetInfo:
        """Store a set without the rows in which something of `drop` (names of `NOTICES`) is noticed, as `new_name`.

        Of duplicates and contradictions the first row stays. With `longest`, rows of more tokens than that for the
        model in `model_folder` are left out too. Raises `DataError` when nothing is left.
        """
        info, new_name, fitting = self.info(name), checked_name(new_name), None
        self._require_free(new_name, replace)
        if longest is not None and model_folder is not None:
            fitting = partial(fits, template=template_of(model_folder), longest=longest)
        with new_folder(self._folder) as folder:
            about = write_without(folder, self.records(name), set(drop), info.kind, new_name, fitting)
            about |= {"format": info.format, "source": info.source, "from": name}
            self._publish(folder, about, replace)
        return self.info(new_name)

    def remove(self, name: str) -> None:
        """Delete a stored set. Runs that were trained on it keep their frozen copy."""
        stored = self._stored(name)
        with self._lock:
            self._write_down("dataset removed", {"name": name})
            discard(stored.folder)

    # --- looking -------------------------------------------------------------------------------------------------

    def inspect_file(
        self,
        path: Path | str,
        format: str | Columns | None = None,
        limit: int = 20,
        *,
        fix: bool = False,
        fill: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        cancelled: Cancelled | None = None,
    ) -> tuple[ImportReport, _Records]:
        """What `add` would say of a file, and the first `limit` examples, without storing anything. A file of which no
        row can be used gives its report and no examples; one that cannot be read at all raises `DataError`."""
        try:
            reading = Reading(path, format, fix=fix, fill=fill, watch=watch, cancelled=cancelled)
        except DataError as error:
            if error.report is None:
                raise
            error.report.notes.append(str(error))
            return error.report, []
        census, first = Census(), []
        for number, record in enumerate(reading):
            census.count(census.look(record))
            if number < limit:
                first.append(record)
        complete(reading.report, census)
        return reading.report, first

    def _names(self) -> _Names:
        if not self._folder.is_dir():
            return []
        return sorted(each.parent.name for each in self._folder.glob("*/about.json") if each.parent.name[0] != ".")

    def list(self) -> _ListOfInfos:
        """The stored sets, the newest first."""
        found = []
        for name in self._names():
            try:
                found.append(self.info(name))
            except DataError:
                continue  # removed meanwhile, or damaged: `info` says so when it is asked for
        return sorted(found, key=lambda info: info.created or datetime.min, reverse=True)

    def builtin(self) -> _Names:
        """The names of the sets that are built in."""
        return builtin_names()

    def info(self, name: str) -> DatasetInfo:
        """What is known of a set. Raises `DataError` when there is none of this name."""
        if is_builtin(name):
            if name not in self._builtin:  # a sample has to be read to be counted
                built = BuiltinDataset(name)
                self._builtin[name] = DatasetInfo(name, built.kind, built.rows, None, built.source, 0)
            return self._builtin[name]
        stored = self._stored(name)
        about = stored.about()
        created = datetime.fromtimestamp(about["created"], UTC).replace(tzinfo=None)
        details = {key: about[key] for key in ("format", "counts", "distinct") if key in about}
        return DatasetInfo(name, about["kind"], about["rows"], created, about["source"], stored.size(), **details)

    def report(self, name: str) -> dict[str, Any]:
        """What was said of a set's file when it was read (see `ImportReport.to_json`).

        Raises `DataError` for a set that was not read from a file.
        """
        if name.startswith("sample:"):
            return self.inspect_file(BuiltinDataset(name).sample_file, limit=0)[0].to_json()
        return self._stored(name).about()["report"]

    def labels(self, name: str) -> dict[str, Any] | None:
        """The votes that the rows of a set stand on: `votes[n]` are those of row n + 1. None without votes."""
        return None if is_builtin(name) else self._stored(name).about().get("labels")

    def problems_file(self, name: str) -> Path:
        """The file with every row that was not taken, for download."""
        return self._stored(name).folder / "problems.jsonl"

    def _stored(self, name: str) -> StoredDataset:
        folder = self._folder / name
        if not name or Path(name).name != name or name.startswith(".") or not (folder / "about.json").is_file():
            have = ", ".join([*self._names(), *builtin_names()][:12])
            raise DataError(f"There is no data set {name!r}. There are: {have}, …")
        return StoredDataset(folder)

    def records(self, name: str) -> Iterator[Record]:
        """The examples of a set, of whatever kind it is."""
        if is_builtin(name):
            return iter(BuiltinDataset(name))
        return _records(self._stored(name), self.info(name).kind)

    def conversations(self, name: str) -> Iterator[Conversation]:
        """The conversations of a set. Raises `DataError` when it holds something else."""
        kind = self.info(name).kind
        if kind != "conversations":
            raise DataError(f"The data set {name!r} holds {kind}, not conversations.")
        return (record for record in self.records(name) if isinstance(record, Conversation))

    def preview(self, name: str, n: int = 5) -> _Records:
        """The first `n` examples."""
        return list(itertools.islice(self.records(name), n))

    def inspect(
        self,
        name: str,
        model_folder: Path,
        max_length: int,
        limit: int = 2000,
        watch: Callable[[int], None] | None = None,
    ) -> Inspection:
        """What the model in `model_folder` would see of a set, from at most `limit` rows spread over it."""
        info = self.info(name)
        step = max(1, -(-info.rows // limit))
        return inspect_records(
            itertools.islice(self.records(name), 0, None, step),
            info.rows,
            Path(model_folder),
            max_length,
            parameters=weights(Path(model_folder)).parameters,
            notices=sentences(info.counts),
            distinct=info.distinct,
            watch=watch,
        )

    # --- into a run ----------------------------------------------------------------------------------------------

    def freeze(self, name: str, folder: Path, heldout_fraction: float, seed: int = 0) -> tuple[int, int]:
        """Write a set's rows to train.jsonl and heldout.jsonl in `folder`; gives the number of rows in each.

        Which side a row is on depends on its content, the fraction and the seed, not on the rows around it; duplicates
        are on one side. With a fraction above 0 and two different rows or more, both files have rows.
        """
        if is_builtin(name):
            rows = [(int(each.key()[:16], 16), to_line(each.to_json())) for each in BuiltinDataset(name)]
            heldout = split(array("Q", (key for key, _ in rows)), heldout_fraction, seed)
            return write_split(rows, heldout, folder)
        stored = self._stored(name)
        keys = stored.keys()
        heldout = split(keys, heldout_fraction, seed)
        return write_split(zip(keys, stored.lines()), heldout, folder)


def _records(stored: StoredDataset, kind: str) -> Iterator[Record]:
    read = KINDS[kind].from_json
    return (read(orjson.loads(line)) for line in stored.lines())
