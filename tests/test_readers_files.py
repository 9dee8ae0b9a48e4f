"""Files as people have them: what kind each is, its rows with their numbers, and what is refused with a sentence."""

import bz2
import gzip
import json
import lzma
import tracemalloc

import pytest

from lab.conversation import Conversation
from lab.document import Document
from lab.errors import DataError
from lab.readers import ImportCancelledError, Reading
from lab.readers.json_rows import layout

GOOD = {"messages": [{"role": "user", "content": "Hi é 🙂"}, {"role": "assistant", "content": "Hello “you” 東京"}]}
LINE = json.dumps(GOOD, ensure_ascii=False)


def read(path, content=None, **options):
    """The report and the examples of a file with this content."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    reading = Reading(path, **options)
    examples = list(reading)
    assert reading.report.rows == len(examples)
    return reading.report, examples


def rows_and_numbers(report, examples):
    return [example.row for example in examples], [problem.row for problem in report.problems]


# --- layouts and encodings: the same three conversations in every dress --------------------------------------------

THREE = [GOOD, GOOD, GOOD]
PRETTY = json.dumps(THREE, ensure_ascii=False, indent=2)
DRESSES = {
    "lines": "\n".join([LINE] * 3),
    "lines, last one ended": "\n".join([LINE] * 3) + "\n",
    "lines, CRLF": "\r\n".join([LINE] * 3) + "\r\n",
    "list": json.dumps(THREE),
    "list, pretty": PRETTY,
    "list, one a line": "[\n" + ",\n".join([LINE] * 3) + "\n]\n",
    "object with data": json.dumps({"version": 1, "data": THREE}),
    "object with rows, pretty": json.dumps({"rows": THREE}, indent=1),
    "split of a hub": json.dumps({"rows": [{"row_idx": n, "row": row} for n, row in enumerate(THREE)]}),
    "values after each other": "\n".join(json.dumps(row, indent=2) for row in THREE),
    "values with commas between": ",\n".join([LINE.replace("}, {", "},\n{")] * 3),
    "old Macintosh line ends": "\r".join([LINE] * 3),
    "BOM": b"\xef\xbb\xbf" + "\n".join([LINE] * 3).encode(),
    "UTF-16": "\n".join([LINE] * 3).encode("utf-16"),
    "UTF-16 without a mark": "\n".join([LINE] * 3).encode("utf-16-be"),
    "UTF-32": "\n".join([LINE] * 3).encode("utf-32"),
    "UTF-16 list": PRETTY.encode("utf-16"),
    "gzip": gzip.compress("\n".join([LINE] * 3).encode()),
    "bzip2": bz2.compress(PRETTY.encode()),
    "xz": lzma.compress("\n".join([LINE] * 3).encode()),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".txt", ""])
def test_the_content_decides_not_the_suffix(tmp_path, dress, suffix):
    report, examples = read(tmp_path / f"chats{suffix}", DRESSES[dress])
    assert [example.messages[1].content for example in examples] == ["Hello “you” 東京"] * 3
    assert (report.total, report.rows_taken, report.kind, report.format) == (3, 3, "conversations", "messages")
    assert not report.problems and report.confidence == 1.0
    assert [example.row for example in examples] == [1, 2, 3]


def test_a_list_of_lists_and_rows_that_are_lists(tmp_path):
    turns = GOOD["messages"]
    for content in (json.dumps([turns, turns]), f"{json.dumps(turns)}\n{json.dumps(turns)}\n"):
        report, examples = read(tmp_path / "a.json", content)
        assert len(examples) == report.total == 2


@pytest.mark.parametrize("indent", [None, 2])
def test_one_object_is_one_row(tmp_path, indent):
    report, examples = read(tmp_path / "one.json", json.dumps(GOOD, indent=indent))
    assert rows_and_numbers(report, examples) == ([1], [])
    row = {"instruction": "Q", "output": "A", "history": [["a", "b"], ["c", "d"]], "tools": [{"name": "t"}]}
    _, examples = read(tmp_path / "one.json", json.dumps(row, indent=indent))
    assert [message.content for message in examples[0].messages] == ["a", "b", "c", "d", "Q", "A"]


def test_columns_become_rows(tmp_path):
    content = json.dumps({"prompt": ["a", "b"], "completion": ["A", "B"]})
    report, examples = read(tmp_path / "c.json", content)
    assert [e.reply.content for e in examples] == ["A", "B"]
    assert report.notes == ["The file holds columns; its rows were put together from them."]


def test_an_object_with_several_lists_takes_one_and_says_so(tmp_path):
    report, examples = read(tmp_path / "c.json", json.dumps({"train": [GOOD] * 2, "test": [GOOD]}))
    assert len(examples) == 2 and "taken from `train`; test was left out" in report.notes[0]


@pytest.mark.parametrize(
    ("head", "complete", "expected"),
    [
        ('{"a": 1}\n{"a": 2}', True, "lines"),
        ('[{"a": 1}]', True, "array"),
        ("[\n1,\n2]", True, "array"),
        ('{\n"a": 1}', True, "values"),
        ('{"a": broken\n{"a": 2}\n{"a": 3}', True, "lines"),
        ('{"a": "a first line longer than what was looked at', False, "lines"),
        ('[{"a": "a list longer than what was looked at', False, "array"),
        ("[1]\n[2]", True, "lines"),
    ],
)
def test_layouts(head, complete, expected):
    assert layout(head, complete) == expected


# --- rows that are broken cost themselves --------------------------------------------------------------------------


def test_every_broken_line_has_its_number_reason_and_fix(tmp_path):
    lines = [
        LINE,
        '{"messages": [{"role": "user"',
        "{'messages': []}",
        "just text",
        "",
        LINE,
        "\x00\x00\x00",
        "42",
        '"a string"',
        "null",
        "[]",
        "{}",
        '{"messages": [] "x": 1}',
        '{"messages": ' + "[" * 100_000,
        LINE,
        "",
    ]
    report, examples = read(tmp_path / "x.jsonl", "\n".join(lines))
    assert [example.row for example in examples] == [1, 6, 15]
    assert [problem.row for problem in report.problems] == [2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14]
    assert all(problem.reason and problem.fix for problem in report.problems)
    assert (report.total, report.rows_taken) == (14, 3)
    reasons = {problem.row: problem.reason for problem in report.problems}
    assert "cut off" in reasons[2] and "Python, not JSON" in reasons[3] and "no JSON: “just text”" in reasons[4]
    assert "NUL" in reasons[7] and "a number" in reasons[8] and "a text" in reasons[9] and "empty" in reasons[10]
    assert "nested too deeply" in reasons[14]
    assert report.notes == ["1 blank line was passed over."]


def test_a_list_that_breaks_off_keeps_what_is_before_and_says_so(tmp_path):
    whole = json.dumps(THREE)
    report, examples = read(tmp_path / "x.json", whole[: whole.rindex("assistant")])
    assert rows_and_numbers(report, examples) == ([1, 2], [3])
    assert "breaks off" in report.problems[0].reason
    report, examples = read(tmp_path / "x.json", whole[:-1])
    assert rows_and_numbers(report, examples) == ([1, 2, 3], [4])
    report, examples = read(tmp_path / "x.json", whole.replace('}]}, {"messages"', '}]} {"messages"', 1))
    assert rows_and_numbers(report, examples) == ([1], [2])
    assert "comma is missing" in report.problems[0].reason


def test_a_list_may_end_with_a_comma(tmp_path):
    report, examples = read(tmp_path / "x.json", f"[\n{LINE},\n{LINE},\n]")
    assert rows_and_numbers(report, examples) == ([1, 2], [])


def test_values_json_allows_by_custom_only(tmp_path):
    odd = '{"score": NaN, "id": 123456789012345678901234567890, ' + LINE[1:]
    _, examples = read(tmp_path / "x.jsonl", f"{odd}\n{LINE}")
    assert len(examples) == 2


def test_a_compressed_file_that_breaks_off(tmp_path):
    packed = gzip.compress(("\n".join([LINE] * 5000)).encode())
    report, examples = read(tmp_path / "x.jsonl.gz", packed[: len(packed) // 2])
    assert 0 < len(examples) < 5000
    assert len(report.problems) in (1, 2) and "breaks off" in report.problems[-1].reason


def test_bytes_that_are_no_utf8_and_nul_bytes_are_refused_or_mended(tmp_path):
    bad = LINE.encode().replace("é".encode(), b"\xe9").replace("“".encode(), b"\x93")
    nul = LINE.replace("Hello", "Hel\\u0000lo").encode()
    half = LINE.replace("Hello", "\\ud83d Hello").encode()
    content = b"\n".join([LINE.encode(), bad, nul, half, LINE.replace("Hello", "Hel\x00lo").encode()])
    report, examples = read(tmp_path / "x.jsonl", content)
    assert rows_and_numbers(report, examples) == ([1], [2, 3, 4, 5])
    assert report.problems.fixable == 4
    report, examples = read(tmp_path / "x.jsonl", fix=True)
    assert [example.row for example in examples] == [1, 2, 3, 4, 5]
    assert [fix.row for fix in report.fixed] == [2, 3, 4, 5]
    assert examples[1] == examples[0] and examples[2] == examples[0] and examples[4] == examples[0]
    assert examples[3].reply.content.startswith("\ufffd Hello")


def test_emoji_written_as_escapes_are_not_taken_for_damage(tmp_path):
    report, examples = read(tmp_path / "x.json", json.dumps([GOOD, GOOD]))
    assert "\\ud83d" in json.dumps(GOOD) and not report.problems
    assert examples[0].messages[0].content == "Hi é 🙂"


# --- what holds no rows is refused in a sentence -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\x00" * 5000, "NUL"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"PK\x03\x04....", "zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\x80\x04\x95\x00", "pickle"),
        (bytes(range(256)) * 20, "no text"),
        (b"\x28\xb5\x2f\xfd....", "Zstandard"),
        (b"\x1f\x8b\x08broken", "empty"),
        (gzip.compress(b"%PDF-1.7"), "PDF"),
        (b"a" * 257 + b"ustar\x0000", "tar"),
        (b"PAR1....PAR1", "Parquet file is broken"),
        (b"ARROW1\x00\x00....", "Arrow file is broken"),
        (b"[]", "no rows|No row|cannot be read"),
        (b"{}", "columns|no objects"),
        (b"{ this is : not json }", "can be read"),
        (b'{"input_ids": [1, 2], "labels": [-100, 2]}', "token ids"),
        (b'{"question": "a"}\n{"question": "b"}', "no answers"),
        (b'{"colour": "red", "shape": "round"}', "Say which"),
        (b"[1, 2, 3]", "no objects"),
    ],
)
def test_what_holds_no_rows_says_what_it_is(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as caught:
        report, _ = read(tmp_path / "chats.jsonl", content)
        raise DataError(f"no rows: {report.total}")
    assert "chats.jsonl" in str(caught.value) or "no rows" in str(caught.value) or "broken" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no file"):
        Reading(tmp_path / "nothing.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        Reading(tmp_path)


# --- tables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_delimited_tables(tmp_path, delimiter):
    lines = ["Prompt;System;Completion", 'a;"";"A; ""quoted"" and', 'a second line"', "b;s", "", "c;x;C", "d;x;D;d"]
    content = "\ufeff" + "\n".join(lines).replace(";", delimiter)
    report, examples = read(tmp_path / "table.csv", content)
    assert rows_and_numbers(report, examples) == ([2, 6], [4, 7])
    assert examples[0].reply.content == f'A{delimiter} "quoted" and\na second line'
    assert "too few columns" in report.problems[0].reason and "too many columns" in report.problems[1].reason
    assert report.format == "prompt_completion"


def test_a_table_without_its_suffix_is_known_by_its_columns(tmp_path):
    report, examples = read(tmp_path / "table.txt", "question\tanswer\nWho?\tMe.\n")
    assert examples[0].reply.content == "Me." and report.file_type == "tab-separated table"
    report, examples = read(tmp_path / "prose.txt", "Dear friend, how are you\nI am well, thank you\n")
    assert report.kind == "documents"


def test_messages_in_a_cell_as_json(tmp_path):
    cell = json.dumps(GOOD["messages"]).replace('"', '""')
    _, examples = read(tmp_path / "t.csv", f'id,messages\n1,"{cell}"\n')
    assert examples[0].messages[0].content == "Hi é 🙂"


def test_two_columns_of_one_name(tmp_path):
    with pytest.raises(DataError, match="same name: prompt"):
        read(tmp_path / "t.csv", "prompt,prompt\na,b\n")


def test_a_quotation_mark_that_does_not_end(tmp_path):
    report, examples = read(tmp_path / "t.csv", 'prompt,completion\na,b\nc,"d\ne,f\n')
    assert [e.row for e in examples] == [2] and [p.row for p in report.problems] == [3]


def test_parquet_and_arrow(tmp_path):
    import pyarrow
    import pyarrow.feather
    import pyarrow.ipc
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist([GOOD, {"messages": None}, GOOD | {"messages": GOOD["messages"] * 2}])
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pyarrow.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    with pyarrow.ipc.new_stream(tmp_path / "s.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("t.parquet", "t.arrow", "s.arrow"):
        report, examples = read(tmp_path / name)
        assert rows_and_numbers(report, examples) == ([1, 3], [2])
        assert [len(example.messages) for example in examples] == [2, 4]
    broken = (tmp_path / "t.parquet").read_bytes()[:-200]
    with pytest.raises(DataError, match="broken"):
        read(tmp_path / "broken.parquet", broken)


# --- plain text ----------------------------------------------------------------------------------------------------


def test_text_becomes_pages_that_lose_nothing(tmp_path):
    paragraphs = [f"Paragraph {n}. " + "word " * 200 for n in range(12)]
    text = "\n\n".join(paragraphs)
    report, examples = read(tmp_path / "book.txt", text)
    assert report.format == "text" and report.kind == "documents"
    assert 2 <= len(examples) <= 6 and all(len(example.text) <= 8000 for example in examples)
    assert "\n\n".join(example.text for example in examples) == text
    assert (report.total, report.rows_taken) == (12, 12)
    assert examples[0].row == 1


def test_one_endless_line_is_cut_at_sentences(tmp_path):
    text = "This is a sentence of it. " * 2000
    _, examples = read(tmp_path / "line.txt", text)
    assert len(examples) > 5 and "".join(e.text for e in examples) == text
    assert all(e.text.rstrip().endswith(".") for e in examples)


def test_a_list_of_names_is_a_document_a_line(tmp_path):
    names = [f"name{n}" for n in range(30)]
    report, examples = read(tmp_path / "names.txt", "\n".join(names) + "\n\n")
    assert report.format == "lines"
    assert examples == [Document(name) for name in names]
    assert [e.row for e in examples] == list(range(1, 31))


def test_rows_that_are_bare_strings_are_documents(tmp_path):
    report, examples = read(tmp_path / "s.json", json.dumps(["One text.", "Another."]))
    assert [example.text for example in examples] == ["One text.", "Another."]
    assert report.format == "documents"


# --- size ----------------------------------------------------------------------------------------------------------


def test_one_huge_line_is_reported_and_the_rest_is_read(tmp_path):
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.write(LINE.encode() + b"\n")
        file.write(b'{"text": "')
        for _ in range(33):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + LINE.encode())
    report, examples = read(path)
    assert rows_and_numbers(report, examples) == ([1, 3], [2])
    assert "longer than 32 MB" in report.problems[0].reason


@pytest.mark.parametrize("dress", ["lines", "list"])
def test_a_big_file_takes_little_memory_and_says_how_far_it_is(tmp_path, dress):
    path = tmp_path / "big.json"
    row = json.dumps({"prompt": "p" * 2500, "completion": "c" * 2500})
    with path.open("w") as file:
        file.write("[" if dress == "list" else "")
        file.writelines(row + (",\n" if dress == "list" else "\n") for _ in range(4_000))
        file.write(row + ("]" if dress == "list" else ""))
    seen = []
    reading = Reading(path, watch=seen.append)
    tracemalloc.start()
    count = sum(isinstance(example, Conversation) for example in reading)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 4_001
    assert peak < path.stat().st_size / 2 < 12_000_000
    done = [progress.bytes_done for progress in seen[1:]]
    assert len(done) > 6 and done == sorted(done) and done[-1] == seen[-1].bytes_total == path.stat().st_size


def test_reading_can_be_stopped(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text((LINE + "\n") * 5000)
    taken, asked = [], []
    with pytest.raises(ImportCancelledError, match="Nothing was kept"):
        taken.extend(Reading(path, cancelled=lambda: len(asked) > 2 or asked.append(1)))
    assert 500 < len(taken) < 2500
