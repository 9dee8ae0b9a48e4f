"""The journal: on the disk before it is acknowledged, once whatever happens."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lab.journal
from lab.errors import LabError
from lab.journal import Journal

ROOT = Path(__file__).resolve().parent.parent
WRITER = """
import sys
from pathlib import Path
from lab.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(1_000_000):
    print(journal.append("vote", {"number": number, "text": "x" * 300}).id, flush=True)
"""


def test_actions_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    first = journal.append("annotate", {"note": "Größe, 🙂\n second line"})
    journal.append("vote", {"choice": "a"})
    again = Journal(tmp_path / "journal.jsonl").actions()
    assert again[0] == first.__class__(first.id, round(first.time, 3), "annotate", first.fields)
    assert [action.kind for action in again] == ["annotate", "vote"]


def test_the_same_id_is_written_once(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("vote", {"choice": "a"}, id="press-1")
    again = journal.append("vote", {"choice": "b"}, id="press-1")
    assert again.fields == {"choice": "a"}
    reopened = Journal(tmp_path / "journal.jsonl")
    reopened.append("vote", {"choice": "c"}, id="press-1")
    assert len(reopened.actions()) == 1


def test_reading_goes_on_from_an_offset(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("vote", {"n": 1})
    _, offset = journal.read(0)
    journal.append("vote", {"n": 2})
    actions, end = journal.read(offset)
    assert [action.fields["n"] for action in actions] == [2]
    assert end == (tmp_path / "journal.jsonl").stat().st_size


@pytest.mark.parametrize("torn", [b'{"id": "x", "ti', b"\x00\x00\x00", b"y" * 2_000_000])
def test_a_torn_last_line_is_cut_off_before_the_next_action(tmp_path, torn):
    path = tmp_path / "journal.jsonl"
    Journal(path).append("vote", {"n": 1})
    with path.open("ab") as file:
        file.write(torn)
    journal = Journal(path)
    assert [action.fields["n"] for action in journal.actions()] == [1]
    journal.append("vote", {"n": 2})
    assert [action.fields["n"] for action in Journal(path).actions()] == [1, 2]
    assert torn not in path.read_bytes()


def test_a_line_that_is_no_action_hides_no_other(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path).append("vote", {"n": 1})
    with path.open("ab") as file:
        file.write(b"[1, 2]\nnot json\n{}\n")
    Journal(path).append("vote", {"n": 2})
    assert [action.fields["n"] for action in Journal(path).actions()] == [1, 2]


def test_a_full_disk_acknowledges_nothing_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("vote", {"n": 1})
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab.journal.os, "fsync", full)
    with pytest.raises(LabError, match="No space left"):
        journal.append("vote", {"n": 2}, id="second")
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert journal.append("vote", {"n": 2}, id="second").fields == {"n": 2}


def test_threads_do_not_mix_lines(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    threads = [
        threading.Thread(target=lambda n=n: [journal.append("vote", {"n": n}) for _ in range(10)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Journal(tmp_path / "journal.jsonl").actions()) == 40


def test_a_read_only_journal_says_so(tmp_path):
    with pytest.raises(LabError, match="cannot be written"):
        Journal(tmp_path / "journal.jsonl", read_only=True).append("vote", {})


def test_kill_loses_no_acknowledged_action(tmp_path):
    path, acknowledged = tmp_path / "journal.jsonl", []
    for round in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(20 + 7 * round):
            acknowledged.append(writer.stdout.readline().strip())
        os.kill(writer.pid, 9)
        acknowledged += writer.communicate()[0].split("\n")
    ids = [action.id for action in Journal(path).actions()]
    assert len(ids) == len(set(ids))
    # a line that the pipe cut in the middle was not acknowledged
    assert {id for id in acknowledged if len(id) == 16} <= set(ids)
    assert len(acknowledged) > 60
