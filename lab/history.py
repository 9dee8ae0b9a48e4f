"""What happened in a workspace, asked for: the list of runs, their curves, their samples, SQL, export, notes.

Everything is read from the index (lab/index.py), which follows the run folders. A question asked while the index is
still catching up after a start waits for it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from lab import notebook
from lab.curves import Range, Series, Source, fetch
from lab.errors import ConfigError, RunError
from lab.guarded_sql import run_query
from lab.index import Index
from lab.index_rows import RunEntry
from lab.journal import Journal
from lab.schema import is_broken

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

Answer = TypeVar("Answer")

EXPORTS = {"csv", "parquet"}
PATIENCE = 30.0
"""Seconds a question waits for the index to catch up."""


class History:
    """The history of a workspace. Safe to use from any thread."""

    def __init__(self, index: Index, journal: Journal) -> None:
        self.index = index
        self.caught_up = threading.Event()
        """Set once the index holds what the folders held when the workspace was opened."""
        self.lists: dict[str, Callable[[], list[tuple[Any, ...]]]] = {}
        """Tables that are filled when SQL asks for them (models, datasets): their rows, by table."""
        self.mend: Callable[[Exception], None] = index.start_over
        """What is called when the database turns out broken, before the question is asked once more."""
        self._journal = journal

    # --- runs ----------------------------------------------------------------------------------------------------

    def runs(self) -> pandas.DataFrame:
        """One row per run, newest first, its settings as columns `config.<name>` (`config.optimizer.beta1`)."""
        import pandas

        found = self._frame("select * from runs order by created desc, id desc")
        settings = pandas.DataFrame([_flat(json.loads(text or "{}")) for text in found.pop("config")])
        found["tags"] = [list(tags) for tags in found["tags"]]
        return pandas.concat([found, settings.add_prefix("config.")], axis=1)

    def compare_configs(self, run_ids: Iterable[str]) -> pandas.DataFrame:
        """The settings in which runs differ: one row per setting, one column per run."""
        import pandas

        ids = list(run_ids)
        settings: dict[str, dict[str, Any]] = {}
        for run_id in ids:
            self._entry(run_id)
            rows = self._read("select config from run_index where id = ?", [run_id])
            settings[run_id] = _flat(json.loads(rows[0][0] or "{}"))
        names = dict.fromkeys(name for values in settings.values() for name in values)
        differing = [name for name in names if len({json.dumps(settings[id].get(name)) for id in ids}) > 1]
        columns = {id: [settings[id].get(name) for name in differing] for id in ids}
        return pandas.DataFrame(columns, index=pandas.Index(differing, name="setting"), dtype=object)

    def annotate(
        self, run_id: str, tags: Iterable[str] | None = None, note: str | None = None, name: str | None = None
    ) -> None:
        """Give a run a name, a note or tags; None leaves one as it is. On the disk when this returns."""
        self._entry(run_id)
        given = {"name": name, "note": note, "tags": None if tags is None else list(dict.fromkeys(tags))}
        fields = {key: value for key, value in given.items() if value is not None}
        self._journal.append("annotate", {"run_id": run_id, **fields})
        self.index.fold(self._journal)

    # --- curves and samples --------------------------------------------------------------------------------------

    def names(self, run_id: str) -> list[str]:
        """The names of the curves that a run has."""
        return sorted(self._entry(run_id).state.curves)

    def series(
        self,
        run_id: str,
        name: str,
        after: int | None = None,
        max_points: int | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> Series:
        """Steps and values of one curve, by step; the newest attempt where a resumed run repeated steps.

        `after`: only steps beyond it. `low`, `high`: only steps between them, both included. `max_points`: at most so
        many, the smallest and the largest value of each bucket of steps, so that no spike and no nan is left out.
        """
        if max_points is not None and max_points < 2:
            raise ConfigError(f"max_points is {max_points}; a curve needs at least 2.", "max_points")
        if after is not None:
            low = after + 1 if low is None else max(low, after + 1)
        return fetch(self._source(run_id), [name], Range(low, high), max_points)[name]

    def series_update(
        self, run_id: str, names: Iterable[str], after_seq: int = 0, max_points: int | None = 2000
    ) -> dict[str, Any]:
        """What a plot that was drawn up to event `after_seq` lacks: `{"cursor", "from", "series"}`.

        `series` has (steps, values) of each name, `cursor` is the next call's `after_seq`. When a resume took steps
        back, `from` is a step: the plot drops what it has from that step on before it adds what came; else None.
        """
        state = self._entry(run_id).state
        cursor = max(after_seq, state.seq)
        resumes = [a for number, a in state.attempts.items() if number > 1 and a.first_seq > after_seq > 0]
        back = min((attempt.first_step for attempt in resumes), default=None)
        within = Range(after_seq=after_seq, to_seq=cursor, again_from=back)
        return {"cursor": cursor, "from": back, "series": fetch(self._source(run_id), list(names), within, max_points)}

    def figure(self, run_id: str, names: Iterable[str] = ("loss/train", "loss/heldout")) -> plotly.graph_objects.Figure:
        """Curves of a run as a plotly figure, for a notebook."""
        return notebook.figure({name: self.series(run_id, name, max_points=2000) for name in names})

    def samples(self, run_id: str, after_seq: int = 0) -> pandas.DataFrame:
        """What a run answered to its fixed prompts: step, prompt, text, attempt, seq, oldest first.

        Only those after event `after_seq`; steps repeated by a resume are there once, from the newest attempt.
        """
        source = self._source(run_id)
        return self._frame(
            f"""select step, prompt, text, attempt, seq from texts
            where run = ? and seq > ?{source.not_taken_back()}
            qualify row_number() over (partition by step, prompt order by seq desc) = 1 order by step, seq""",
            [source.number, after_seq],
        )

    # --- anything else -------------------------------------------------------------------------------------------

    def sql(self, text: str) -> pandas.DataFrame:
        """The rows of one SELECT over `runs metrics samples votes models datasets` (at most 10,000, within 5 s).

        Times are UTC. Raises `LabError` for anything else than one SELECT and for a mistake in it.
        """
        self._wait()
        for table, rows in self.lists.items():
            if table in text.lower():
                self.index.replace_rows(table, rows())
        return run_query(self.index.cursor(), text)

    def export(self, run_ids: Iterable[str], path: Path | str, format: str = "csv") -> Path:
        """Write the points in view of some runs (run_id, name, step, value) to a CSV or Parquet file."""
        import pandas

        if format not in EXPORTS:
            raise ConfigError(f"{format!r} is not a format to export to; there are csv and parquet.", "format")
        tables = []
        for run_id in run_ids:
            points, values = self._source(run_id).in_view()
            table = self._frame(f"select name, step, value from {points} order by name, step", values)
            table.insert(0, "run_id", run_id)
            tables.append(table)
        if not tables:
            raise RunError("Choose at least one run to export.")
        everything, target = pandas.concat(tables, ignore_index=True), Path(path)
        if format == "csv":
            everything.to_csv(target, index=False, na_rep="nan")
        else:
            everything.to_parquet(target, index=False)
        return target

    # --- asking the index ----------------------------------------------------------------------------------------

    def _wait(self) -> None:
        self.caught_up.wait(PATIENCE)
        self.index.write_announced()

    def _entry(self, run_id: str) -> RunEntry:
        self._wait()
        self.index.number(run_id)
        return self.index.entry(run_id) or RunEntry(0)

    def _source(self, run_id: str) -> Source:
        self._wait()
        return replace(self.index.source(run_id), read=self._read)

    def _read(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._ask(lambda: self.index.read(query, values))

    def _frame(self, query: str, values: list[Any] | None = None) -> pandas.DataFrame:
        return self._ask(lambda: self.index.frame(query, values))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer; from a new database when the old one turns out broken."""
        self._wait()
        try:
            return question()
        except duckdb.Error as error:
            if not is_broken(error):
                raise
            self.mend(error)
            return question()


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level: {"optimizer": {"beta1": 0.9}} → {"optimizer.beta1": 0.9}."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
