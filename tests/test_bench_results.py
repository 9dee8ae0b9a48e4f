"""What README says of speed is what the benchmarks wrote down."""

import json

from tests.bench.results import FILE, in_readme, table


def test_the_readme_has_the_table_of_the_last_results():
    assert in_readme() == table(), "run `python -m tests.bench.results`"


def test_no_committed_figure_is_below_its_floor():
    rows = json.loads(FILE.read_text())["rows"]
    assert rows
    assert [row for row in rows if row["ratio"] < row["floor"]] == []
