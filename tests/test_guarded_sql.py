"""SQL for people: what it can see, and that every way out is shut."""

import time

import pytest

from lab.errors import LabError
from lab.guarded_sql import run_query
from lab.schema import open_database


@pytest.fixture
def database(tmp_path):
    connection, _ = open_database(tmp_path / "history.duckdb")
    connection.execute("insert into models (reference, parameters) values ('bundled:base', 1200000)")
    (tmp_path / "secret.csv").write_text("password\nhunter2\n")
    yield connection
    connection.close()


def ask(connection, text, **limits):
    return run_query(connection.cursor(), text, **limits)


def test_a_select_gives_its_rows(database):
    found = ask(database, "select reference, parameters * 2 as twice from models -- a remark")
    assert found.to_dict("records") == [{"reference": "bundled:base", "twice": 2_400_000}]
    assert found.attrs["cut"] is False
    assert ask(database, "with a as (select 1 as x) select x from a;").x.tolist() == [1]
    assert ask(database, "select 1 as x where false").x.tolist() == []
    assert "points" in ask(database, "show tables").name.tolist()


WAYS_OUT = [
    "select * from read_text('{folder}/secret.csv')",
    "select * from read_blob('{folder}/secret.csv')",
    "select * from read_csv('{folder}/secret.csv')",
    "select * from read_json('{folder}/secret.csv')",
    "select * from read_parquet('{folder}/*.parquet')",
    "select * from '{folder}/secret.csv'",
    "select * from glob('/etc/*')",
    "select * from query('select * from read_text(''{folder}/secret.csv'')')",
    "select * from query_table('{folder}/secret.csv')",
    "copy models to '{folder}/out.csv'",
    "copy (select 1) to '{folder}/out.csv'",
    "copy models from '{folder}/secret.csv'",
    "export database '{folder}/out'",
    "import database '{folder}'",
    "attach '{folder}/other.duckdb' as other",
    "attach ':memory:' as other",
    "detach history",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "reset lock_configuration",
    "pragma enable_object_cache",
    "insert into models (reference) values ('x')",
    "update models set parameters = 0",
    "delete from models",
    "drop table models",
    "create table x as select 1",
    "create macro f(x) as x",
    "create temp table x as select 1",
    "truncate models",
    "vacuum",
    "checkpoint",
    "call pragma_version()",
    "begin",
    "commit",
    "select 1; select 2",
    "commit; insert into models (reference) values ('x')",
    "select 1; commit; drop table models",
    "prepare q as select 1",
    "explain analyze delete from models",
    "pivot models on reference",
    "",
    "-- nothing",
    "selct 1",
    "select * from no_such_table",
    "select nextval('nothing')",
    "select cast('x' as integer)",
    "select * from local_variable",
]


@pytest.mark.parametrize("text", WAYS_OUT)
def test_no_way_out(database, tmp_path, text):
    local_variable = [{"secret": 1}]  # noqa: F841  (DuckDB would look into Python's variables)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(LabError):
        ask(database, text.replace("{folder}", str(tmp_path)))
    assert sorted(tmp_path.iterdir()) == before
    assert database.execute("select count(*), max(parameters) from models").fetchall() == [(1, 1200000)]


@pytest.mark.parametrize(
    "text",
    [
        "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t",
        "select count(*) from range(100000000000) a where a.range % 7 = 3",
        "select sum(a.range * b.range) from range(10000000) a, range(10000000) b",
    ],
)
def test_a_query_that_does_not_end_is_stopped(database, text):
    start = time.perf_counter()
    with pytest.raises(LabError, match=r"stopped after 0\.3 seconds|[Mm]emory"):
        ask(database, text, seconds=0.3)
    assert time.perf_counter() - start < 5


def test_a_billion_rows_are_capped_and_never_held(database):
    found = ask(database, "select * from range(1000000000) t(x)", rows=5000)
    assert found.x.tolist() == list(range(5000))
    assert found.attrs["cut"] is True


def test_a_query_does_not_disturb_a_writer(database):
    writer = database.cursor()
    writer.begin()
    writer.execute("insert into models (reference) values ('run:x')")
    assert ask(database, "select count(*) as n from models").n[0] == 1
    writer.commit()
    assert ask(database, "select count(*) as n from models").n[0] == 2


def test_after_a_refused_query_the_next_one_works(database):
    with pytest.raises(LabError):
        ask(database, "select * from read_text('/etc/hostname')")
    assert ask(database, "select 1 as x").x[0] == 1
