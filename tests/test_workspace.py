"""The workspace as a whole: one owner, quick to open, closed without harm, with the real data sets."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import SFTConfig, open_workspace
from lab.errors import LabError, RunError, WorkspaceLockedError
from lab.launcher import Launcher
from lab.workspace import Workspace
from tests.parts import FAKE_WORKER, make_run, metrics, started, wait_for, write_model

ROOT = Path(__file__).resolve().parent.parent
HOLDER = "import sys; from lab import open_workspace; w = open_workspace(sys.argv[1]); print('open', flush=True); \
sys.stdin.read()"


def hold(folder):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline().strip() == "open"
    return holder


def test_a_second_app_is_told_who_has_the_workspace(tmp_path):
    holder = hold(tmp_path)
    with pytest.raises(WorkspaceLockedError, match=str(holder.pid)):
        open_workspace(tmp_path)
    holder.kill()
    holder.communicate()
    assert (tmp_path / "owner.json").exists()  # left behind by the dead: it does not count
    with open_workspace(tmp_path):
        assert json.loads((tmp_path / "owner.json").read_text())["pid"] != holder.pid
        with pytest.raises(WorkspaceLockedError):
            open_workspace(tmp_path)
    open_workspace(tmp_path).close()


def test_opening_makes_the_folder_and_imports_no_torch(tmp_path, monkeypatch):
    code = (
        "import sys, time; from lab import open_workspace; start = time.process_time(); w = open_workspace(); "
        "took = time.process_time() - start; w.runs.list(); print(took < 1, 'torch' in sys.modules, w.folder); "
        "w.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["True", "False", str(tmp_path / "my-lab")], done.stderr


def test_a_folder_that_cannot_be_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="Choose another folder"):
        open_workspace(tmp_path / "file")


def test_from_an_uploaded_file_to_a_finished_run(tmp_path):
    chats = [
        {"messages": [{"role": "user", "content": f"Q{n}"}, {"role": "assistant", "content": f"A{n}"}]}
        for n in range(20)
    ]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    model = write_model(tmp_path / "model")
    (tmp_path / "lab" / "runs").mkdir(parents=True)
    with Workspace(tmp_path / "lab", Launcher(FAKE_WORKER)) as workspace:
        assert workspace.datasets.add(tmp_path / "chats.jsonl", name="chats").rows == 20
        config = SFTConfig(model=str(model), dataset="chats", max_steps=6, heldout_fraction=0.2)
        run = workspace.runs.start(config).wait(timeout=30)
        assert run.status == "finished", run.log_tail()
        frozen = [
            len((run.folder / "data" / f"{name}.jsonl").read_text().splitlines()) for name in ("train", "heldout")
        ]
        assert sum(frozen) == 20 and frozen[1] > 0
        assert json.loads((run.folder / "run.json").read_text())["rows"] == {"train": frozen[0], "heldout": frozen[1]}
        workspace.datasets.remove("chats")
        assert workspace.history.sql("select name, kind from datasets").empty
        assert workspace.notices == []
    workspace.close()  # twice is fine
    with pytest.raises(LabError, match="closed"):
        _ = workspace.inference
    with open_workspace(tmp_path / "lab") as again:
        assert again.runs.get(run.id).status == "finished" and again.history.names(run.id)


def test_a_workspace_on_a_read_only_disk_can_be_looked_at(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    run = make_run(tmp_path / "runs", [started(), metrics(1, loss=2.0), ("finished", {"step": 1})])
    monkeypatch.setattr("lab.workspace._can_write", lambda folder: False)
    before = sorted(tmp_path.rglob("*"))
    with open_workspace(tmp_path) as workspace:
        assert workspace.read_only and "looking" in workspace.notices[0]
        assert workspace.runs.get(run.id).status == "finished"
        assert workspace.history.series(run.id, "loss/train") == ([1], [2.0])
        with pytest.raises(LabError, match="cannot be written"):
            workspace.history.annotate(run.id, note="x")
        with pytest.raises(RunError, match="cannot be written"):
            workspace.runs.start(SFTConfig(dataset="sample:chats"))
        with pytest.raises(RunError, match="cannot be written"):
            workspace.runs.get(run.id).resume()
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert left in ([], [tmp_path / "datasets"])


def test_open_a_thousand_runs_quickly(tmp_path):
    (tmp_path / "runs").mkdir()
    run = make_run(tmp_path / "runs", [started(), metrics(1, loss=2.0), ("finished", {"step": 1})])
    for number in range(300):
        copy = run.path.with_name(f"copy-{number}")
        copy.mkdir()
        for name in ("run.json", "config.json", "events.jsonl"):
            (copy / name).write_bytes((run.path / name).read_bytes())
    with open_workspace(tmp_path) as workspace:
        assert len(workspace.history.runs()) == 301
    start = time.process_time()
    with open_workspace(tmp_path) as workspace:
        wait_for(lambda: workspace.history.caught_up.is_set())
        assert len(workspace.runs.list()) == 301
    assert time.process_time() - start < 2
