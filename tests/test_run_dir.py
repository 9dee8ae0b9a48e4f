"""The folder of a run: requests, checkpoints, and files that are whole or not there."""

import json

import pytest

from lab.config import SFTConfig
from lab.errors import RunError
from lab.run_dir import RunDir, read_jsonl, write_json, write_jsonl


@pytest.fixture
def run(tmp_path):
    return RunDir.create(tmp_path, SFTConfig(seed=3), {"name": "first", "seed": 3})


def test_a_new_folder_holds_settings_and_facts(run):
    assert run.config() == SFTConfig(seed=3)
    assert run.about() == {"id": run.id, "algorithm": "sft", "attempt": 1, "name": "first", "seed": 3}
    assert "_sft_" in run.id


def test_facts_can_change(run):
    run.update(attempt=2, pid=17)
    assert RunDir(run.path).about()["attempt"] == 2
    assert run.about()["name"] == "first"


def test_requests_come_and_go(run):
    assert not run.stop_requested and not run.pause_requested
    run.request_stop()
    run.request_pause()
    assert run.stop_requested and run.pause_requested
    run.clear_requests()
    run.clear_requests()
    assert not run.stop_requested and not run.pause_requested


def test_only_complete_checkpoints_count(run):
    assert run.checkpoint_steps() == []
    for name in ("step-000200", "step-000050", ".step-000300.tmp", "notes"):
        (run.checkpoints / name).mkdir(parents=True)
    assert run.checkpoint_steps() == [50, 200]
    assert run.checkpoint(200).is_dir()


def test_a_folder_that_is_no_run_says_so(tmp_path):
    with pytest.raises(RunError, match="folder of a run"):
        RunDir(tmp_path).about()


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})

    def rows():
        yield {"a": 2}
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="broke"):
        write_jsonl(path, rows())
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["value.json"]


def test_rows_survive(tmp_path):
    rows = [{"text": "a\u2028b\n\x00é"}, {"text": ""}]
    assert write_jsonl(tmp_path / "rows.jsonl", rows) == 2
    assert list(read_jsonl(tmp_path / "rows.jsonl")) == rows
