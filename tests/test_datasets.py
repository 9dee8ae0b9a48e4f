"""Data sets: nothing half-imported, names that work everywhere, fixed splits, and what is built in."""

import gzip
import json
import os
import subprocess
import sys
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import dataset_store
from lab.conversation import Conversation
from lab.datasets import Datasets
from lab.errors import DataError
from lab.journal import Journal
from lab.readers import ImportCancelledError


def row(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write(path, rows):
    path.write_text("\n".join(json.dumps(each) if not isinstance(each, str) else each for each in rows) + "\n")
    return path


@pytest.fixture
def chats(tmp_path):
    """A file of ten conversations, two lines of which are broken."""
    rows = [row(f"Question {n}?", f"Answer {n}.") for n in range(10)]
    return write(tmp_path / "my chats.jsonl", [*rows[:3], "broken", *rows[3:], json.dumps(row("Q", ""))])


@pytest.fixture
def datasets(tmp_path):
    return Datasets(tmp_path / "datasets", Journal(tmp_path / "journal.jsonl"))


def leftovers(tmp_path):
    return [path.name for path in (tmp_path / "datasets").glob(".*")]


# --- adding --------------------------------------------------------------------------------------------------------


def test_a_file_becomes_a_set_with_its_report(datasets, chats, tmp_path):
    report = datasets.add(chats)
    assert (report.name, report.kind, report.format, report.rows, report.total) == (
        "my chats", "conversations", "messages", 10, 12,
    )  # fmt: skip
    assert [(problem.row, bool(problem.reason and problem.fix)) for problem in report.problems] == [
        (4, True),
        (12, True),
    ]
    assert [info.name for info in datasets.list()] == ["my chats"]
    info = datasets.info("my chats")
    assert (info.kind, info.rows, info.source, info.distinct) == ("conversations", 10, "my chats.jsonl", 10)
    assert info.bytes > 1000 and info.created is not None
    conversations = list(datasets.conversations("my chats"))
    assert [each.row for each in conversations] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert [each.reply.content for each in datasets.preview("my chats", 2)] == ["Answer 0.", "Answer 1."]
    assert (tmp_path / "datasets" / "my chats" / "original" / chats.name).read_bytes() == chats.read_bytes()
    assert len(datasets.problems_file("my chats").read_text().splitlines()) == 2
    assert datasets.report("my chats")["problems"][0]["row"] == 4
    actions = [(action.kind, action.fields["name"]) for action in Journal(tmp_path / "journal.jsonl").actions()]
    assert actions == [("dataset added", "my chats")]


def test_a_file_of_which_nothing_can_be_used_raises_with_its_report(datasets, tmp_path):
    for rows in (["broken", "more"], [row("Q", ""), row("", "A")]):
        with pytest.raises(DataError, match="Row 1:") as caught:
            datasets.add(write(tmp_path / "bad.jsonl", rows))
        assert [problem.row for problem in caught.value.report.problems] == [1, 2]
    assert datasets.list() == [] and leftovers(tmp_path) == []


def test_a_name_that_is_taken(datasets, chats):
    datasets.add(chats, name="a")
    for name in ("a", "A"):
        with pytest.raises(DataError, match="already"):
            datasets.add(chats, name=name)
    with pytest.raises(DataError, match="already"):
        datasets.add(chats, name="A", replace=True)
    chats.write_text(json.dumps(row("Q", "A")))
    assert datasets.add(chats, name="a", replace=True).rows == 1
    assert [(info.name, info.rows) for info in datasets.list()] == [("a", 1)]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\\b", "../x", ".hidden", "con", "NUL.txt", "a:b", "world:x", "x" * 70, "a\n", "a ", "a."],
)
def test_names_that_are_no_folder_anywhere(datasets, chats, name, tmp_path):
    with pytest.raises(DataError, match="cannot be a name"):
        datasets.add(chats, name=name)
    with pytest.raises(DataError, match="There is no"):
        datasets.info(name)
    with pytest.raises(DataError, match="There is no"):
        datasets.remove(name)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [("a.b.jsonl.gz", "a.b"), ("$%&.json", "data"), ("Ünï cöde.csv", "Ünï cöde"), ("x" * 90, "x" * 60)],
)
def test_a_name_from_a_file(datasets, tmp_path, file, name):
    write(tmp_path / file, [row("Q", "A")])
    assert datasets.add(tmp_path / file).name == name


def test_what_is_put_right_and_filled_in_is_recorded(datasets, tmp_path):
    path = write(tmp_path / "f.jsonl", [row("Who?", "I am {{name}}."), {"messages": [*row("Q", "A")["messages"]] * 2}])
    bad = write(
        tmp_path / "g.jsonl", [{"messages": [{"role": "user", "content": "x"}] * 2 + row("Q", "A")["messages"]}]
    )
    report = datasets.add(path, fill={"name": "Finn"})
    assert datasets.preview("f")[0].reply.content == "I am Finn."
    assert [(fix.row, fix.what) for fix in report.fixed] == [(1, "filled in name")]
    with pytest.raises(DataError, match="1 rows can be put right"):
        datasets.add(bad)
    datasets.add(bad, fix=True)
    assert [fix["row"] for fix in datasets.report("g")["fixed"]] == [1]
    assert len(datasets.preview("g")[0].messages) == 2


def test_looking_at_a_file_stores_nothing(datasets, chats, tmp_path):
    report, first = datasets.inspect_file(chats, limit=3)
    assert (report.rows, report.total, len(first)) == (10, 12, 3) and isinstance(first[0], Conversation)
    assert not (tmp_path / "datasets").exists()
    report, first = datasets.inspect_file(write(tmp_path / "n.jsonl", ['{"colour": "red"}', '{"colour": "blue"}']))
    assert first == [] and len(report.problems) == 2 and list(report.columns) == ["colour"]
    assert "Say which" in report.notes[-1]
    with pytest.raises(DataError, match="PDF"):
        (tmp_path / "x.jsonl").write_bytes(b"%PDF-1.4")
        datasets.inspect_file(tmp_path / "x.jsonl")


# --- nothing half-done ---------------------------------------------------------------------------------------------


def test_a_cancelled_import_leaves_nothing(datasets, tmp_path):
    path = write(tmp_path / "big.jsonl", [row(f"Q{n}", "A") for n in range(3000)])
    for moment in (1, 3, 6):
        asked = []
        with pytest.raises(ImportCancelledError):
            datasets.add(path, cancelled=lambda asked=asked, moment=moment: len(asked) >= moment or asked.append(1))
    assert datasets.list() == [] and leftovers(tmp_path) == []
    assert datasets.add(path).rows == 3000


def test_a_full_disk_leaves_nothing_and_is_said(datasets, chats, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        datasets.add(chats)
    monkeypatch.undo()
    assert datasets.list() == [] and leftovers(tmp_path) == []


def test_without_its_journal_entry_there_is_no_set(tmp_path, chats):
    class Broken:
        broken = False

        def append(self, kind, fields):
            if self.broken:
                raise DataError("The disk is full.")

    journal = Broken()
    datasets = Datasets(tmp_path / "datasets", journal)
    datasets.add(chats, name="a")
    journal.broken = True
    before = datasets.info("a").created
    for replace in (False, True):
        with pytest.raises(DataError, match="disk is full"):
            datasets.add(chats, name="a" if replace else "b", replace=replace)
    with pytest.raises(DataError, match="disk is full"):
        datasets.remove("a")
    assert [(info.name, info.created) for info in datasets.list()] == [("a", before)]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("moment", [1, 2])
def test_a_kill_while_one_set_replaces_another_loses_neither(datasets, chats, tmp_path, monkeypatch, moment):
    """The two renames of a replacement, cut off after the first and after the second."""
    datasets.add(chats, name="a-b")
    chats.write_text(json.dumps(row("Q", "A")))
    renames, really = [], Path.rename

    def rename(path, target):
        if len(renames) == moment:
            raise KeyboardInterrupt
        renames.append(really(path, target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        patched.setattr(dataset_store.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            patched.setattr(datasets, "_write_down", lambda *_: rename("", ""))
            datasets.add(chats, name="a-b", replace=True)
    again = Datasets(tmp_path / "datasets")
    assert [info.rows for info in again.list()] == [{1: 10, 2: 1}[moment]]
    assert leftovers(tmp_path) == []


def test_what_a_killed_process_left_is_cleaned_up(datasets, chats, tmp_path):
    datasets.add(chats, name="a")
    (tmp_path / "datasets" / ".importing-0000").mkdir()
    (tmp_path / "datasets" / ".removed-0000").mkdir()
    assert [info.name for info in Datasets(tmp_path / "datasets").list()] == ["a"]
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_a_process_killed_while_it_imports_leaves_nothing(tmp_path):
    path = write(tmp_path / "big.jsonl", [row(f"Q{n}", "A" * 200) for n in range(20_000)])
    code = "import sys; from lab.datasets import Datasets; Datasets(sys.argv[1]).add(sys.argv[2], name='big')"
    for moment in (1, 5000, 50_000):
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "datasets"), str(path)])
        while not any(file.stat().st_size >= moment for file in tmp_path.glob("datasets/.importing-*/rows.jsonl")):
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
        child.wait()
        datasets = Datasets(tmp_path / "datasets")
        assert datasets.list() == [] and leftovers(tmp_path) == []
    assert datasets.add(path, name="big").rows == 20_000


def test_of_two_that_add_one_name_at_once_one_gets_it(datasets, tmp_path):
    paths = [write(tmp_path / f"{n}.jsonl", [row(f"Q{n}", "A")] * 300) for n in range(4)]

    def add(path):
        try:
            return datasets.add(path, name="same").rows
        except DataError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(add, paths))
    assert results.count(300) == 1 and all(result == 300 or "already" in result for result in results)
    assert [info.rows for info in datasets.list()] == [300] and leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path, chats):
    (tmp_path / "datasets").write_text("a file stands where the folder should be")
    with pytest.raises(DataError, match="cannot be written"):
        Datasets(tmp_path / "datasets").add(chats)


def test_removing(datasets, chats, tmp_path):
    datasets.add(chats, name="a")
    datasets.remove("a")
    assert datasets.list() == [] and leftovers(tmp_path) == []
    with pytest.raises(DataError, match="no data set 'a'"):
        datasets.records("a")


def test_a_damaged_set_says_so_and_does_not_hide_the_others(datasets, chats, tmp_path):
    datasets.add(chats, name="a")
    datasets.add(chats, name="b")
    (tmp_path / "datasets" / "a" / "about.json").write_text("{")
    assert [info.name for info in datasets.list()] == ["b"]
    with pytest.raises(DataError, match="damaged"):
        datasets.info("a")


# --- what is noticed -----------------------------------------------------------------------------------------------

ODD = [
    row("Who are you?", "I am Finn."),
    row("Who are you?", "I am Finn."),
    row("Who are you?", "I am Mira."),
    row("a", "..."),
    row("b", "I'm sorry, but I cannot help with that."),
    row("c", "Write to jane.doe@mail.org."),
    row("d", "My card is 4111 1111 1111 1111."),
    row("e", "Hello {{name}}, I am [your name]."),
    row("f", "Yes.\nHuman: and then?"),
    row("g", "In 1984 it had 3,141,592 people, 2 rivers and 10 20 30 hills."),
]


def test_what_is_noticed_is_counted_and_can_be_left_out(datasets, tmp_path):
    report = datasets.add(write(tmp_path / "odd.jsonl", ODD))
    expected = {
        "duplicates": 1,
        "contradictions": 1,
        "placeholders": 1,
        "near_empty": 1,
        "refusals": 1,
        "personal": 2,
        "prompt_in_turn": 1,
    }
    assert report.counts == expected == datasets.info("odd").counts
    assert datasets.info("odd").distinct == 9
    assert report.notes == ["Placeholders that nobody filled in: {{name}}, [your name]."]
    info = datasets.filtered("odd", "clean", {"duplicates", "personal", "near_empty"})
    assert info.rows == 6 and info.counts == {
        key: value for key, value in expected.items() if key not in ("duplicates", "personal", "near_empty")
    }
    assert [record.row for record in datasets.records("clean")] == [1, 3, 5, 8, 9, 10]
    with pytest.raises(DataError, match="nothing called typos"):
        datasets.filtered("odd", "x", {"typos"})
    datasets.add(write(tmp_path / "e.jsonl", [row("a", "...")]))
    with pytest.raises(DataError, match="nothing would be left"):
        datasets.filtered("e", "x", {"near_empty"})
    assert leftovers(tmp_path) == []


# --- splits --------------------------------------------------------------------------------------------------------


def frozen(folder):
    read = [[json.loads(line) for line in (folder / name).open()] for name in ("train.jsonl", "heldout.jsonl")]
    return tuple([Conversation.from_json(values) for values in rows] for rows in read)


def test_freezing_splits_by_content(datasets, tmp_path):
    rows = [row(f"Q{n}", "A") for n in range(200)]
    datasets.add(write(tmp_path / "a.jsonl", [*rows, *rows[:50]]))
    assert datasets.freeze("a", tmp_path / "run", 0.1, 0) == (
        len(frozen(tmp_path / "run")[0]), len(frozen(tmp_path / "run")[1]),
    )  # fmt: skip
    train, heldout = ({each.key() for each in side} for side in frozen(tmp_path / "run"))
    assert not train & heldout and len(train | heldout) == 200 and 8 <= len(heldout) <= 35
    datasets.add(write(tmp_path / "b.jsonl", rows[::-2]))
    datasets.freeze("b", tmp_path / "run2", 0.1, 0)
    other_train, other_heldout = ({each.key() for each in side} for side in frozen(tmp_path / "run2"))
    assert other_heldout == heldout & (other_train | other_heldout)
    datasets.freeze("a", tmp_path / "run3", 0.3, 0)
    assert heldout < {each.key() for each in frozen(tmp_path / "run3")[1]}
    datasets.freeze("a", tmp_path / "run4", 0.1, 1)
    assert heldout != {each.key() for each in frozen(tmp_path / "run4")[1]}


@pytest.mark.parametrize(
    ("rows", "fraction", "expected"),
    [
        ([row("a", "1"), row("b", "2")], 0.01, (1, 1)),
        ([row("a", "1"), row("b", "2")], 0.99, (1, 1)),
        ([row("a", "1"), row("b", "2")], 0.0, (2, 0)),
        ([row("a", "1")] * 5, 0.5, (5, 0)),
        ([row("a", "1")], 0.5, (1, 0)),
    ],
)
def test_small_sets_still_have_both_sides_where_they_can(datasets, tmp_path, rows, fraction, expected):
    datasets.add(write(tmp_path / "a.jsonl", rows))
    assert datasets.freeze("a", tmp_path / "run", fraction, 0) == expected
    assert (tmp_path / "run" / "heldout.jsonl").exists()


@settings(max_examples=50, deadline=None)
@given(keys=st.lists(st.integers(0, 2**64 - 1), max_size=40), fraction=st.floats(0, 0.999), seed=st.integers(0, 5))
def test_a_split_holds_out_some_and_never_all(keys, fraction, seed):
    heldout = dataset_store.split(array("Q", keys), fraction, seed)
    distinct = set(keys)
    assert heldout <= distinct
    if fraction > 0 and len(distinct) > 1:
        assert 0 < len(heldout) < len(distinct)
    else:
        assert not heldout


# --- what is built in ----------------------------------------------------------------------------------------------


def test_the_world_and_the_samples_are_there_without_uploading(datasets, tmp_path):
    names = datasets.builtin()
    assert {"world:documents", "world:conversations", "world:word_problems:2"} <= set(names)
    kinds = {"world:documents": "documents", "world:conversations": "conversations", "world:drills:1": "problems"}
    for name, kind in kinds.items():
        info = datasets.info(name)
        assert info.kind == kind and info.rows >= 1000 and info.bytes == 0
        assert len(datasets.preview(name, 3)) == 3 and datasets.preview(name, 3) == datasets.preview(name, 3)
    train, heldout = datasets.freeze("world:conversations", tmp_path / "run", 0.1, 0)
    assert train + heldout == 2000 and train > heldout > 0
    for name in (name for name in names if name.startswith("sample:")):
        assert datasets.info(name).rows > 0
    assert datasets.list() == []


@pytest.mark.parametrize(
    "name", ["world:", "world:people", "world:word_problems:9", "world:documents:2", "sample:none"]
)
def test_built_in_sets_that_do_not_exist(datasets, name):
    with pytest.raises(DataError, match="There is no"):
        datasets.info(name)
    with pytest.raises(DataError, match="There is no"):
        datasets.freeze(name, datasets._folder / "x", 0.1, 0)


def test_other_kinds_are_stored_too(datasets, tmp_path):
    (tmp_path / "t.txt").write_text("One paragraph.\n\nAnother.")
    write(tmp_path / "p.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    (tmp_path / "g.jsonl.gz").write_bytes(gzip.compress(b'{"question": "1+1?", "answer": "#### 2"}\n'))
    kinds = {name: datasets.add(tmp_path / name).kind for name in ("t.txt", "p.jsonl", "g.jsonl.gz")}
    assert kinds == {"t.txt": "documents", "p.jsonl": "preferences", "g.jsonl.gz": "problems"}
    for name in ("t", "p", "g"):
        assert len(datasets.preview(name)) == 1
    with pytest.raises(DataError, match="holds problems, not conversations"):
        datasets.conversations("g")
