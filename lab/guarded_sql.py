"""SQL that a person wrote, run so that it can look at the history and do nothing else.

One statement, of type SELECT, in a read-only transaction on a cursor of its own, interrupted after a few seconds,
rows capped; and the database it runs in (lab/schema.py) has no way to files, extensions or Python's variables.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import duckdb

from lab.errors import LabError

if TYPE_CHECKING:
    import pandas

SECONDS = 5.0
ROWS = 10_000
CHUNKS = 8
"""Vectors (of 2,048 rows) fetched at a time."""


class SQLError(LabError):
    """A query that cannot be run, or was stopped; the message is for the person who wrote it."""


def run_query(
    cursor: duckdb.DuckDBPyConnection, text: str, seconds: float = SECONDS, rows: int = ROWS
) -> pandas.DataFrame:
    """The first `rows` rows of a query. `.attrs["cut"]` is true when there were more.

    `cursor` is used by nobody else and is closed. Raises `SQLError` for anything but one SELECT, for a mistake in it,
    and when it takes longer than `seconds`.
    """
    import pandas  # noqa: F401  (loading it is not the query's time)

    late = threading.Event()

    def interrupt() -> None:
        late.set()
        cursor.interrupt()

    clock = threading.Timer(seconds, interrupt)
    clock.daemon = True
    with cursor:
        _check(cursor, text)
        clock.start()
        try:
            cursor.execute("begin transaction read only")
            return _fetch(cursor.execute(text), rows, late)
        except duckdb.Error as error:
            if late.is_set():
                raise SQLError(f"The query was stopped after {seconds:g} seconds. Ask for less.") from error
            raise SQLError(str(error)) from error
        finally:
            clock.cancel()


def _check(cursor: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        statements = cursor.extract_statements(text)
    except duckdb.Error as error:
        raise SQLError(str(error)) from error
    if len(statements) != 1:
        raise SQLError(f"Write one statement; this is {len(statements)}.")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise SQLError(f"Only SELECT is possible here; this is {statements[0].type.name}.")


def _fetch(cursor: duckdb.DuckDBPyConnection, rows: int, late: threading.Event) -> pandas.DataFrame:
    import pandas

    pieces, count = [], 0
    while count <= rows and not late.is_set():
        piece = cursor.fetch_df_chunk(CHUNKS)
        pieces.append(piece)
        count += len(piece)
        if not len(piece):
            break
    if late.is_set():
        raise duckdb.InterruptException("late")
    found = pandas.concat(pieces[:1] + [piece for piece in pieces[1:] if len(piece)], ignore_index=True)
    result = found.iloc[:rows].copy()
    result.attrs["cut"] = count > rows
    return result
