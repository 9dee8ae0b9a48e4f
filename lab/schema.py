"""The DuckDB file: its tables, its version, and how it is opened so that a broken one is never in the way.

The file is an index. Everything in it can be made again from the run folders and the journal, so a file that is
corrupt, or that a newer version wrote, is set aside under another name and a new one is filled.

`points` and `texts` carry a small number in place of a run's id: with it DuckDB skips the row groups of other runs
(2.6 ms in place of 82 ms for one short run among ten million rows). People query the views `runs`, `metrics`,
`samples`.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from lab.errors import WorkspaceLockedError

VERSION = 2

TABLES = f"""
create table version as select {VERSION} as version;

create table run_index (
    number integer, id varchar, name varchar, algorithm varchar, status varchar, parent varchar, dataset varchar,
    created timestamp, started timestamp, ended timestamp, duration double, step bigint, total_steps bigint,
    attempt integer, loss double, best_heldout_loss double, parameters bigint, trainable_parameters bigint,
    device varchar, world_size integer, seed bigint, error varchar, advice varchar, folder varchar, config varchar,
    log_offset bigint, log_file varchar, state varchar, about varchar
);
create table points (
    run integer, name varchar, step bigint, value double, attempt integer, seq bigint, time double
);
create table texts (
    run integer, step bigint, prompt varchar, text varchar, attempt integer, seq bigint, time double
);
create table annotations (run_id varchar, name varchar, note varchar, tags varchar[]);
create table journal_position ("offset" bigint);
create table models (
    reference varchar, name varchar, kind varchar, folder varchar, parameters bigint, context_length integer,
    architecture varchar, vocab_size integer, parent varchar, dtype varchar, is_chat boolean,
    is_reward boolean
);
create table votes (
    id varchar, project varchar, pair varchar, annotator varchar, model_a varchar, model_b varchar, outcome varchar,
    choice varchar, a_is_left boolean, strength integer, kind varchar, seconds double, time timestamp, reason varchar,
    flag varchar
);
create table datasets (
    name varchar, kind varchar, rows bigint, created timestamp, source varchar, bytes bigint
);

create view runs as
select
    r.id, coalesce(a.name, r.name) as name, r.algorithm, r.status, 'run:' || r.id as model, r.parent, r.dataset,
    r.created, r.started, r.ended, r.duration, r.step, r.total_steps, r.attempt, r.loss, r.best_heldout_loss,
    r.parameters, r.trainable_parameters, r.device, r.world_size, r.seed, coalesce(a.tags, []) as tags,
    coalesce(a.note, '') as note, r.error, r.advice, r.folder, r.config
from run_index r left join annotations a on a.run_id = r.id;

create view metrics as
select r.id as run_id, p.name, p.step, p.value, p.attempt, p.seq, make_timestamp((p.time * 1e6)::bigint) as time
from points p join run_index r on r.number = p.run;

create view samples as
select r.id as run_id, t.step, t.prompt, t.text, t.attempt, t.seq,
    make_timestamp((t.time * 1e6)::bigint) as time
from texts t join run_index r on r.number = t.run;
"""

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
    "max_temp_directory_size": "2GB",
    "threads": "2",
}
"""Nothing outside the file can be reached from SQL: no files, no extensions, no variables of the Python around it."""


def open_database(file: Path | None) -> tuple[duckdb.DuckDBPyConnection, str]:
    """The database in `file` (in memory for None), with its tables, and a sentence for the person or "".

    The sentence says that an unusable file was set aside. Raises `WorkspaceLockedError` when another process has the
    file open, and `OSError` when no file can be written there.
    """
    if file is None:
        return _connect(":memory:"), ""
    said = ""
    if file.exists():
        try:
            return _connect(str(file)), ""
        except _UnusableError as error:
            said = f"{error} It is kept as {set_aside(file).name}; history was made again from the run folders."
    try:
        return _connect(str(file)), said
    except _UnusableError as error:  # nothing was there: it is the place that does not do
        raise OSError(str(error)) from error


class _UnusableError(Exception):
    """This file cannot serve as the index."""


def _connect(file: str) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(file, config=SETTINGS)
    except duckdb.Error as error:
        raise _reason(file, error) from error
    try:
        _prepare(connection)
        connection.execute("set lock_configuration = true")
    except _UnusableError:
        connection.close()
        raise
    except duckdb.Error as error:
        connection.close()
        raise _reason(file, error) from error
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables in a new file; raise `_UnusableError` for one of another version."""
    tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    if not tables:
        connection.execute("begin transaction;" + TABLES + "commit;")
        return
    if ("version",) not in tables:
        raise _UnusableError("The history file is not one of Nudge's.")
    found = connection.execute("select max(version) from version").fetchall()[0][0]
    if found != VERSION:
        age = "newer" if (found or 0) > VERSION else "older"
        raise _UnusableError(f"The history file was written by {age} Nudge (format {found}, this one has {VERSION}).")
    connection.execute("select bit_xor(hash(r)) from run_index r").fetchall()  # what the app needs first can be read


def _reason(file: str, error: Exception) -> Exception:
    """What an error at opening means: somebody else has the file, there is no room for one, or it is broken."""
    text = str(error).splitlines()[0]
    if "Could not set lock" in text or "being used by another process" in text:
        return WorkspaceLockedError(f"Another program has {file} open. Close it and try again. ({text})")
    if is_disk_trouble(error):
        return OSError(f"{file} cannot be written: {text}")
    return _UnusableError(f"The history file could not be read ({text}).")


def is_disk_trouble(error: Exception) -> bool:
    """Whether a DuckDB error is about the disk (full, read-only, no permission) and not about the file's contents."""
    words = ("no space left", "read-only file system", "permission denied", "disk quota", "file too large")
    return any(word in str(error).lower() for word in words)


def is_broken(error: Exception) -> bool:
    """Whether a DuckDB error says that the database itself no longer works (not that a query was wrong).

    A full disk is among them: a commit that finds no room leaves DuckDB refusing all that follows.
    """
    kinds = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
    return isinstance(error, kinds) or "corrupt" in str(error).lower() or is_disk_trouble(error)


def set_aside(file: Path) -> Path:
    """Rename the database and its write-ahead log so that nothing opens them; gives the new name."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept = file.with_name(f"{file.stem}.set-aside-{stamp}{file.suffix}")
    count = 1
    while kept.exists():
        count += 1
        kept = file.with_name(f"{file.stem}.set-aside-{stamp}-{count}{file.suffix}")
    file.replace(kept)
    log = file.with_name(file.name + ".wal")
    if log.exists():
        log.replace(kept.with_name(kept.name + ".wal"))
    return kept
