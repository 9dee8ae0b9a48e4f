"""Any bytes, any JSON, any table: a report or a `DataError`, never anything else, and every row accounted for."""

import csv
import io
import itertools
import json
import string
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.chat_template import ChatTemplate
from lab.conversation import Conversation
from lab.errors import DataError
from lab.readers import FORMATS, Reading
from lab.readers.census import Census
from lab.readers.fields import KNOWN, MEDIA
from lab.readers.format import KINDS
from lab.tokenizer import load_tokenizer

EXAMPLES = 1500 if "--long" in sys.argv else 40
KEYS = [
    *sorted(KNOWN | set(MEDIA)),
    *[
        "role",
        "content",
        "from",
        "value",
        "message",
        "mapping",
        "current_node",
        "parent",
        "children",
        "author",
        "parts",
        "replies",
        "rank",
        "deleted",
    ],
    *[
        "message_id",
        "parent_id",
        "message_tree_id",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "type",
        "weight",
        "tools",
        "input_ids",
    ],
    *["kto_tag", "Body", "Question", "row", "row_idx", "data"],
]
WORDS = [
    "user",
    "assistant",
    "system",
    "tool",
    "human",
    "gpt",
    "function_call",
    "observation",
    "prompter",
    "true",
    "a",
    "1",
]
TEXTS = ["", " ", "Human: a\n\nAssistant: b", "#### 5", "{{name}}", "[1", '{"name": "t"}', "\x00", "\ud800"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(WORDS + TEXTS)
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=14,
)
TURN_KEYS = ("role", "content", "from", "value", "tool_calls", "weight")
TURNS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(TURN_KEYS, VALUES)), max_size=5)
ROWS = VALUES | st.dictionaries(st.sampled_from(KEYS), VALUES | TURNS, min_size=1, max_size=6)
TEMPLATE = ChatTemplate(None, load_tokenizer("bytes"))


def check(path, **options):
    """Read a file and hold the report to its promise."""
    try:
        reading = Reading(path, **options)
        examples = list(reading)
    except DataError as error:
        assert str(error)
        return []
    report = reading.report
    assert report.rows == len(examples)
    taken = report.rows_taken
    assert report.total <= taken + len(report.problems)  # a row is taken or has a problem
    numbers = {problem.row for problem in report.problems}
    assert min(numbers, default=1) >= 1
    for problem in report.problems:
        assert problem.reason.strip() and problem.fix.strip()
    if options.get("fix"):
        assert not any(problem.fixable for problem in report.problems)
    census = Census()
    for example in examples:
        assert type(example) is KINDS[report.kind]
        text = json.dumps(example.to_json())
        assert type(example).from_json(json.loads(text)) == example
        census.count(census.look(example))
        if isinstance(example, Conversation):
            rules(example)
    assert report.sentence() and json.dumps(report.to_json())
    return examples


def rules(conversation):
    """What every conversation keeps to."""
    roles = [message.role for message in conversation.messages]
    assert roles[-1] == "assistant" and roles.count("system") <= 1 and "system" not in roles[1:]
    body = [role for role in roles if role != "system"]
    assert body[0] == "user"
    after = {"user": {"assistant"}, "assistant": {"user", "tool"}, "tool": {"tool", "assistant", "user"}}
    assert all(role in after[before] for before, role in itertools.pairwise(body))
    last = conversation.reply
    assert last.content.strip() or last.tool_calls
    assert all(isinstance(message.content, str) and "\x00" not in message.content for message in conversation.messages)
    assert any(message.learn for message in conversation.messages if message.role == "assistant")
    encoded = TEMPLATE.encode(conversation)
    assert any(encoded.loss_mask)


QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".jsonl", ".json", ".csv", ".txt", ""]))
def test_any_bytes(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(content)
    check(path)


@QUICK
@given(rows=st.lists(ROWS, max_size=4), layout=st.sampled_from(["lines", "list", "pretty", "data"]), fix=st.booleans())
def test_any_json(tmp_path_factory, rows, layout, fix):
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    texts = {
        "lines": lambda: "\n".join(map(json.dumps, rows)),
        "list": lambda: json.dumps(rows),
        "pretty": lambda: json.dumps(rows, indent=1),
        "data": lambda: json.dumps({"data": rows}),
    }
    path.write_text(texts[layout]())
    check(path, fix=fix)


@QUICK
@given(row=ROWS, format=st.sampled_from(sorted(FORMATS)), fix=st.booleans())
def test_any_row_in_every_format(tmp_path_factory, row, format, fix):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps({'prompt': 'a', 'completion': 'b'})}\n")
    check(path, format=format, fix=fix)


@QUICK
@given(turns=TURNS, fix=st.booleans())
def test_any_turns(tmp_path_factory, turns, fix):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_text(json.dumps({"messages": turns}))
    check(path, format="messages", fix=fix)


ROLES = st.sampled_from(["user", "assistant", "system", "tool", "function_call"])


@QUICK
@given(turns=st.lists(st.tuples(ROLES, st.sampled_from(["", " ", "a", "b", '{"name": "t"}'])), min_size=1, max_size=7))
def test_any_order_of_turns_put_right_keeps_the_rules_and_invents_nothing(tmp_path_factory, turns):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_text(json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}))
    plain, mended = check(path, format="messages"), check(path, format="messages", fix=True)
    assert not plain or plain == mended
    said = {content for _, content in turns}
    for example in mended:
        for message in example.messages:
            assert set(message.content.split("\n\n")) <= said | {""}


@QUICK
@given(
    table=st.lists(st.lists(st.text(string.printable + "é🙂\x00", max_size=12), min_size=1, max_size=4), max_size=5),
    header=st.lists(st.sampled_from(["prompt", "completion", "chosen", "text", "x"]), min_size=1, max_size=4),
    delimiter=st.sampled_from(",\t;|"),
)
def test_any_table(tmp_path_factory, table, header, delimiter):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *table])
    path.write_bytes(text.getvalue().encode())
    check(path)


@QUICK
@given(cut=st.integers(0, 2000), change=st.binary(max_size=3), place=st.integers(0, 2000))
@pytest.mark.parametrize("layout", ["lines", "list"])
def test_a_good_file_that_was_cut_or_damaged(tmp_path_factory, layout, cut, change, place):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    reply = {"role": "assistant", "content": "🙂"}
    rows = [{"messages": [{"role": "user", "content": f"é{n}"}, reply]} for n in range(20)]
    whole = json.dumps(rows) if layout == "list" else "\n".join(map(json.dumps, rows))
    damaged = bytearray(whole.encode()[:cut] if cut % 2 else whole.encode())
    damaged[place : place + len(change)] = change
    path.write_bytes(bytes(damaged))
    check(path)
