"""The door in a notebook: what objects draw is escaped, and the notebook that ships runs from top to bottom."""

import json
import math
from pathlib import Path

import pytest

from lab import notebook

HOSTILE = "<script>alert(1)</script>"
NOTEBOOK = Path(__file__).resolve().parent.parent / "assets" / "nudge.ipynb"


@pytest.mark.parametrize(
    "drawn",
    [
        notebook.table([[HOSTILE]], [HOSTILE]),
        notebook.written([(HOSTILE, -0.5)], HOSTILE),
        notebook.report(HOSTILE, [(1, HOSTILE, HOSTILE)]),
        notebook.run(HOSTILE, {HOSTILE: HOSTILE}, 0.5, HOSTILE),
    ],
)
def test_what_is_drawn_is_escaped(drawn):
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_an_improbable_token_is_tinted_more():
    drawn = notebook.written([("sure", 0.0), ("odd", math.log(0.2))], "")
    assert "title='100.0%' style='background:rgba(230,159,0,0.00)'" in drawn
    assert "title='20.0%' style='background:rgba(230,159,0,0.40)'" in drawn


def test_a_long_report_says_how_many_more():
    drawn = notebook.report("Some rows.", [(row, "empty", "fill it") for row in range(1, 31)], shown=20)
    assert drawn.count("<tr>") == 21
    assert "10 more" in drawn


def test_a_curve_marks_what_is_not_finite():
    drawn = notebook.figure({"loss/train": ([1, 2, 3], [2.0, math.nan, 1.0])})
    assert list(drawn.data[1].x) == [2]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cells = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)
    for cell in cells.cells:  # fewer steps: what is tested is that every cell works
        cell.source = cell.source.replace("max_steps=60", "max_steps=3").replace('"my-lab"', f'"{tmp_path}/lab"')
    done = NotebookClient(
        cells, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent.parent)}}
    )
    done.execute()
    outputs = json.dumps([cell.get("outputs", []) for cell in cells.cells])
    assert "finished" in outputs
    assert "bundled:base" in outputs
