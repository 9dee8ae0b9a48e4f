"""Every format: what a row of it becomes, by hand, and what is said of a row that breaks it."""

import json

import pytest

from lab.conversation import Conversation, Message
from lab.errors import DataError
from lab.preference import PreferencePair
from lab.problem import Problem
from lab.readers import FORMATS, Reading


def read(path, rows, **options):
    """Report and examples of rows written as JSONL."""
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    reading = Reading(path, **options)
    return reading.report, list(reading)


@pytest.fixture
def one(tmp_path):
    """Reads one row: (report, examples)."""

    def read_one(row, **options):
        return read(tmp_path / "row.jsonl", [row], **options)

    return read_one


def said(example):
    return [(message.role, message.content) for message in example.messages]


U, A, S, T = ("user", "q"), ("assistant", "a"), ("system", "s"), ("tool", "t")

# --- conversations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "row", "expected"),
    [
        ("messages", {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, [U, A]),
        ("messages", {"conversation": [{"role": "User", "content": "q"}, {"role": "bot", "content": "a"}]}, [U, A]),
        (
            "messages",
            {"messages": [{"role": "developer", "content": "s"}, *({"role": r, "content": c} for r, c in (U, A))]},
            [S, U, A],
        ),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, [U, A]),
        (
            "sharegpt",
            {"system": "s", "conversations": [{"from": "prompter", "value": "q"}, {"from": "assistant", "value": "a"}]},
            [S, U, A],
        ),
        (
            "sharegpt",
            {"system": "", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            [U, A],
        ),
        ("alpaca", {"instruction": "q", "input": "", "output": "a"}, [U, A]),
        ("alpaca", {"instruction": "q", "input": "x", "output": "a"}, [("user", "q\nx"), A]),
        ("alpaca", {"Instruction": "q", "response": "a", "text": "beside it"}, [U, A]),
        ("alpaca", {"instruction": "q", "output": "a", "system": "s", "history": [["1", "2"]]},
         [S, ("user", "1"), ("assistant", "2"), U, A]),
        ("alpaca", {"instruction": "", "input": "q", "value": "a"}, [U, A]),
        ("prompt_completion", {"prompt": "q", "completion": "a"}, [U, A]),
        ("prompt_completion", {"User Message": "q", "Assistant Message": "a"}, [U, A]),
        ("prompt_completion", {"question": "q", "answer": "a", "context": "x"}, [("user", "q\nx"), A]),
        ("prompt_completion", {"input": "q", "output": [{"type": "text", "text": "a"}]}, [U, A]),
        ("prompt_completion", {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
                               "completion": [{"role": "assistant", "content": "a"}]}, [S, U, A]),
        ("prompt_completion", {"prompt": "\n\nHuman: q\n\nAssistant:", "completion": " a"}, [U, ("assistant", " a")]),
        ("transcript", {"text": "### Human: q### Assistant: a"}, [U, A]),
        ("transcript", {"text": "\n\nHuman: q\n\nAssistant: a\n\nHuman: more\nHuman: of it\n\nAssistant: b"},
         [U, A, ("user", "more\nHuman: of it"), ("assistant", "b")]),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, "r"]},
                                   {"role": "assistant", "content": [{"type": "text", "value": "a"}]}]},
         [("user", "q\nr"), A]),
        ("messages", {"messages": [{"role": "user", "content": "q"},
                                   {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"},
                                                                     {"type": "text", "text": "a"}]}]},
         [U, ("assistant", "<think>\nhm\n</think>\n\na")]),
    ],
)  # fmt: skip
def test_what_a_row_becomes(one, format, row, expected):
    report, examples = one(row)
    assert (report.format, report.kind, report.confidence) == (format, "conversations", 1.0)
    assert said(examples[0]) == expected
    assert not report.problems


def test_weights_say_what_is_learned(one):
    turns = [{"role": "user", "content": "q", "loss_weight": 0.0}, {"role": "assistant", "content": "a", "weight": 0}]
    more = [{"role": "user", "content": "r"}, {"role": "assistant", "content": "b", "weight": 1}]
    _, examples = one({"messages": turns + more})
    assert [message.learn for message in examples[0].messages] == [True, False, True, True]
    assert Conversation.from_json(json.loads(json.dumps(examples[0].to_json()))) == examples[0]
    report, _ = one({"messages": turns})
    assert "nothing to learn" in report.problems[0].reason


def test_tool_calls_in_all_their_spellings(one):
    call = {"name": "weather", "arguments": {"city": "Oslo"}}
    after = [("tool", "3 degrees"), ("assistant", "Cold.")]
    openai = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {
            "name": "weather", "arguments": '{"city": "Oslo"}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "3 degrees"},
        {"role": "assistant", "content": "Cold."},
    ]  # fmt: skip
    older = [openai[0], {"role": "assistant", "content": None, "function_call": call},
             {"role": "function", "name": "weather", "content": "3 degrees"}, openai[3]]  # fmt: skip
    part = {"type": "tool_use", "name": "weather", "input": {"city": "Oslo"}}
    typed = [openai[0], {"role": "assistant", "content": [part]}, *openai[2:]]
    sharegpt = [{"from": "human", "value": "q"}, {"from": "function_call", "value": json.dumps(call)},
                {"from": "observation", "value": "3 degrees"}, {"from": "gpt", "value": "Cold."}]  # fmt: skip
    tools = [{"name": "weather", "parameters": {}}]
    for turns in (openai, older, typed, sharegpt):
        report, examples = one({"messages": turns, "tools": json.dumps(tools)})
        assert not report.problems, list(report.problems)
        assert said(examples[0]) == [U, ("assistant", ""), *after]
        assert examples[0].messages[1].tool_calls == (call,)
        assert examples[0].tools == tuple(tools)
        assert Conversation.from_json(json.loads(json.dumps(examples[0].to_json()))) == examples[0]


@pytest.mark.parametrize(
    ("turns", "reason", "fixed"),
    [
        ([], "no turns", None),
        ([U], "no reply", None),
        ([A], "begins with the assistant", None),
        ([S, A], "begins with the assistant", None),
        ([U, ("assistant", "")], "turn 2, the last reply, is empty", None),
        ([U, ("assistant", " \n")], "turn 2, the last reply, is empty", None),
        ([("user", ""), A], "turn 1, the user's message, is empty", None),
        ([U, ("wizard", "x")], "turn 2 has the role “wizard”", None),
        ([U, (None, "x")], "turn 2 has no role", None),
        ([U, (7, "x")], "turn 2 has the role “7”", None),
        ([U, ("assistant", {"a": 1})], "without text", None),
        ([U, ("assistant", [{"type": "image_url", "image_url": {"url": "x"}}])], "has an image url in it", None),
        ([U, T, A], "the assistant did not call", None),
        ([U, A, U], "the last turn is the user's", [U, A]),
        ([A, U, A], "begins with the assistant", [U, A]),
        ([U, U, A], "turns 1 and 2 are both the user's", [("user", "q\n\nq"), A]),
        ([U, A, A], "turns 2 and 3 are both the assistant's", [U, ("assistant", "a\n\na")]),
        ([U, A, S, U, A], "turn 3 is a system message in the middle", [S, U, A, U, A]),
        ([S, S, U, A], "begins with 2 system messages", [("system", "s\n\ns"), U, A]),
        ([U, ("assistant", ""), ("user", "r"), A], "turn 2, the assistant's reply, is empty", [("user", "r"), A]),
        ([U, A, ("user", ""), ("assistant", "b"), U, A], "turn 3, the user's message, is empty", [U, A, U, A]),
        ([U, A, U, ("assistant", "")], "turn 4, the last reply, is empty", [U, A]),
        ([U, ("assistant", True)], "turn 2 is a truth value (true), not text", [U, ("assistant", "true")]),
        ([U, ("assistant", 42)], "turn 2 is a number (42), not text", [U, ("assistant", "42")]),
        ([A, U, A, U], "begins with the assistant", [U, A]),
    ],
)
def test_what_breaks_the_rules_is_refused_and_what_can_be_is_put_right(one, turns, reason, fixed):
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    report, examples = one(row, format="messages")
    assert not examples and report.total == 1
    problem = report.problems[0]
    assert reason in problem.reason and problem.row == 1 and problem.fix
    assert problem.fixable == (fixed is not None)
    report, examples = one(row, format="messages", fix=True)
    if fixed is None:
        assert not examples and reason in report.problems[0].reason and not report.fixed
    else:
        assert said(examples[0]) == fixed
        assert len(report.fixed) == 1 and report.fixed[0].row == 1 and report.fixed[0].what


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": "hello"}, "is a text, not a list"),
        ({"messages": [1, 2]}, "a turn is a number"),
        ({"messages": {"role": "user"}}, "not a list"),
        ({"messages": [], "images": ["a.jpg"]}, "the row has images"),
        ({"input_ids": [1], "labels": [1]}, "token ids"),
        ("just a text", "the row is a text (“just a text”)"),
        (None, "the row is empty"),
        (3.5, "the row is a number"),
        ({"other": 1}, "no list of messages: it has `other`"),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "tools": "{"},
            "no JSON",
        ),
    ],
)
def test_rows_of_another_shape(one, row, reason):
    report, _ = one(row, format="messages")
    assert reason in report.problems[0].reason


def test_placeholders_are_filled_in_and_it_is_said(one):
    row = {"instruction": "Who are you?", "output": "I am {{name}}, made by {{ author }}."}
    report, examples = one(row, fill={"name": "Finn", "author": "a class"})
    assert examples[0].reply.content == "I am Finn, made by a class."
    assert report.fixed[0].what == "filled in author, name"
    _, examples = one(row, fill={"name": "{{author}}"})
    assert examples[0].reply.content == "I am {{author}}, made by {{ author }}."


# --- finding the format out ----------------------------------------------------------------------------------------


def test_a_minority_of_other_rows_does_not_change_the_format(tmp_path):
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    report, examples = read(tmp_path / "m.jsonl", [chat] * 7 + [{"text": "x"}] * 3)
    assert report.format == "messages" and report.confidence == 0.7
    assert len(examples) == 7 and [problem.row for problem in report.problems] == [8, 9, 10]


def test_a_row_in_the_other_spelling_of_turns_is_taken(tmp_path):
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    other = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
    report, examples = read(tmp_path / "m.jsonl", [chat, chat, other])
    assert report.format == "messages" and examples[0] == examples[2]


def test_the_person_can_overrule(tmp_path):
    rows = [{"question": "What is 6 times 7?", "answer": "It is\n#### 42"}]
    assert read(tmp_path / "r.jsonl", rows)[0].kind == "problems"
    report, examples = read(tmp_path / "r.jsonl", rows, format="prompt_completion")
    assert report.kind == "conversations" and examples[0].reply.content == "It is\n#### 42"
    assert "problems" in report.alternatives
    with pytest.raises(DataError, match="no format 'xml'"):
        read(tmp_path / "r.jsonl", rows, format="xml")


def test_the_person_can_say_which_column_is_what(tmp_path):
    rows = [{"Frage": "q", "Antwort A": "a", "Antwort B": "b", "Notiz": "x"}, {"Frage": "q"}]
    with pytest.raises(DataError, match="`Frage`, `Antwort A`, `Antwort B`, `Notiz`") as caught:
        read(tmp_path / "r.jsonl", rows)
    assert caught.value.report.columns["Antwort A"] == "a" and len(caught.value.report.problems) == 2
    report, examples = read(tmp_path / "r.jsonl", rows, format={"prompt": "Frage", "completion": "Antwort A"})
    assert said(examples[0]) == [U, A] and report.format == "prompt_completion"
    assert [problem.row for problem in report.problems] == [2]
    columns = {"prompt": "Frage", "chosen": "Antwort A", "rejected": "Antwort B"}
    report, examples = read(tmp_path / "r.jsonl", rows, format=columns)
    assert report.kind == "preferences" and (examples[0].chosen, examples[0].rejected) == ("a", "b")
    report, examples = read(tmp_path / "r.jsonl", rows, format={"text": "Notiz"})
    assert report.kind == "documents" and examples[0].text == "x"


def test_every_format_has_a_title_and_a_kind():
    assert {format.kind for format in FORMATS.values()} == {"conversations", "preferences", "problems", "documents"}
    assert len({format.title for format in FORMATS.values()}) == len(FORMATS)


# --- trees ---------------------------------------------------------------------------------------------------------


def node(id, role, text, *replies, rank=None, **more):
    values = {"message_id": id, "role": role, "text": text, "rank": rank, "replies": list(replies)}
    return values | more


TREE = node(
    "1",
    "prompter",
    "q",
    node("2", "assistant", "worse", rank=1),
    node(
        "3",
        "assistant",
        "better",
        node("5", "prompter", "more", node("6", "assistant", "last", rank=0)),
        node("7", "prompter", "unanswered"),
        rank=0,
    ),
    node("4", "assistant", "removed", rank=-1, deleted=True),
)


def flat(tree, parent=None):
    rows = [{k: v for k, v in tree.items() if k != "replies"} | {"parent_id": parent, "message_tree_id": "t"}]
    for reply in tree["replies"]:
        rows += flat(reply, tree["message_id"])
    return rows


@pytest.mark.parametrize("dress", ["tree", "bare", "flat"])
def test_trees_of_messages(tmp_path, dress):
    rows = {"tree": [{"message_tree_id": "t", "prompt": TREE}], "bare": [TREE], "flat": flat(TREE)}[dress]
    report, examples = read(tmp_path / "t.jsonl", rows)
    assert report.format == "oasst" and report.rows_taken == report.total == len(rows)
    best = [U, ("assistant", "better"), ("user", "more"), ("assistant", "last")]
    assert [said(example) for example in examples] == [best]
    report, examples = read(tmp_path / "t.jsonl", rows, format="oasst_all")
    assert [said(example) for example in examples] == [best, [U, ("assistant", "worse")]]
    assert all(example.row == 1 for example in examples)


def test_ranked_replies_make_pairs(one):
    report, examples = one({"prompt": TREE}, format="oasst_pairs")
    assert (report.kind, examples) == ("preferences", [PreferencePair((Message("user", "q"),), "better", "worse")])
    report, _ = one(node("1", "prompter", "q", node("2", "assistant", "a", rank=0)), format="oasst_pairs")
    assert "no message has two ranked replies" in report.problems[0].reason


def test_loose_messages_of_several_trees_and_an_orphan(tmp_path):
    other = [row | {"message_tree_id": "u"} for row in flat(TREE)]
    rows = [*flat(TREE), *other, other[-1] | {"message_id": "9", "parent_id": "nobody"}]
    report, examples = read(tmp_path / "t.jsonl", rows)
    assert [example.row for example in examples] == [1, 8]
    assert report.fixed[0].row == 8 and "1 messages whose parent is not in the file" in report.fixed[0].what


def test_a_tree_nobody_answered(one):
    report, _ = one(node("1", "prompter", "q", node("2", "prompter", "r")))
    assert "no reply" in report.problems[0].reason


def test_the_export_of_a_chatgpt_account(one):
    def message(role, parts, **more):
        return {"author": {"role": role}, "content": {"content_type": "text", "parts": parts}, **more}

    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    mapping = {
        "root": {"message": None, "parent": None, "children": ["a"]},
        "a": {"message": message("system", [""], **hidden), "parent": "root", "children": ["b"]},
        "b": {"message": message("user", ["q"]), "parent": "a", "children": ["c", "x"]},
        "x": {"message": message("assistant", ["another try"]), "parent": "b", "children": []},
        "c": {"message": message("assistant", ["a"]), "parent": "b", "children": ["d"]},
        "d": {"message": message("tool", ["result"]), "parent": "c", "children": ["e"]},
        "e": {"message": message("assistant", ["b"]), "parent": "d", "children": []},
    }
    report, examples = one({"title": "T", "mapping": mapping, "current_node": "e"})
    assert report.format == "chatgpt" and said(examples[0]) == [U, ("assistant", "a\n\nb")]
    assert report.fixed[0].what == "1 messages of tools were left out"
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file://x"}
    mapping["b"]["message"] = message("user", [picture, "what is this?"])
    report, _ = one({"mapping": mapping, "current_node": "e"})
    assert "image asset pointer" in report.problems[0].reason


# --- pairs ---------------------------------------------------------------------------------------------------------


def m(*turns):
    return [{"role": role, "content": content} for role, content in turns]


PAIR = PreferencePair((Message("user", "q"),), "a", "b")
B = ("assistant", "b")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"question": "q", "chosen": m(A), "rejected": m(B)},
        {"prompt": m(U), "chosen": m(A), "rejected": m(B)},
        {"chosen": m(U, A), "rejected": m(U, B)},
        {"prompt": "q", "chosen": m(U, A), "rejected": m(U, B)},
        {"prompt": "q", "chosen": m(A)[0], "rejected": m(B)[0]},
        {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"},
         "rejected": {"from": "gpt", "value": "b"}},
        {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
        {"question": "q", "response_j": "a", "response_k": "b"},
        {"prompt": "q", "response_a": "b", "response_b": "a", "winner": "model_b"},
        {"prompt": "q", "response_0": "b", "response_1": "a", "better_response_id": 1},
        {"prompt": "q", "output_1": "a", "output_2": "b", "preference": 1},
        {"conversation_a": m(U, A), "conversation_b": m(U, B), "winner": "model_a"},
        {"instruction": "q", "response_1": "a", "response_2": "b", "verdict": "1"},
    ],
)  # fmt: skip
def test_what_makes_a_pair(one, row):
    report, examples = one(row)
    assert report.kind == "preferences" and not report.problems, list(report.problems)
    assert examples == [PAIR]
    assert PreferencePair.from_json(json.loads(json.dumps(examples[0].to_json()))) == PAIR


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": m(U, A), "rejected": m(("user", "other"), B)}, "prompts of the two replies differ"),
        ({"prompt": "something else", "chosen": m(U, A), "rejected": m(U, B)}, "differ"),
        ({"chosen": m(U, A, U, A), "rejected": m(U, B, U, B)}, "part at turn 2"),
        ({"prompt": "q", "chosen": "a", "rejected": "a"}, "the same"),
        ({"prompt": "q", "chosen": "a", "rejected": " "}, "rejected reply is empty"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "turn 1, the user's message, is empty"),
        ({"prompt": m(U, A), "chosen": "c", "rejected": "d"}, "both the assistant's"),
        ({"chosen": "a", "rejected": "b"}, "no prompt"),
        ({"chosen": m(U, A, U), "rejected": m(U, A, B)}, "ends with a turn of the user"),
        ({"prompt": "q", "chosen": {"role": "king", "content": "a"}, "rejected": "b"}, "role “king”"),
        ({"prompt": "q", "chosen": True, "rejected": "b"}, "truth value"),
        ({"prompt": "q", "response_a": "a", "response_b": "b", "winner": "Tie"}, "a tie"),
        ({"prompt": "q", "response_a": "a", "response_b": "b", "winner": "garbage"}, "“garbage”, which names neither"),
        ({"prompt": "q", "response_a": "a", "response_b": "b", "winner": float("nan")}, "names neither"),
    ],
)
def test_what_makes_no_pair(one, row, reason):
    report, examples = one(row)
    assert not examples and reason in report.problems[0].reason


def test_labelled_replies_become_pairs_or_conversations(tmp_path):
    good = {"messages": m(U, A), "label": True}
    bad = {"messages": m(U, B), "label": False}
    lone = {"messages": m(("user", "other"), A), "label": True}
    report, examples = read(tmp_path / "k.jsonl", [bad, lone, good])
    assert (report.format, examples) == ("kto", [PAIR])
    assert (report.total, report.rows_taken) == (3, 2)
    assert [problem.row for problem in report.problems] == [2] and "labelled good" in report.problems[0].reason
    report, examples = read(tmp_path / "k.jsonl", [lone, lone, bad])
    assert report.format == "kto_good" and said(examples[0]) == [("user", "other"), A]
    assert "labelled bad" in report.problems[0].reason
    rows = [{"prompt": "q", "completion": "a", "label": "true"}, {"prompt": "q", "completion": "b", "label": "false"}]
    assert read(tmp_path / "k.jsonl", rows)[1] == [PAIR]
    rows = [{"prompt": "q", "completion": m(turn), "label": label} for turn, label in ((B, False), (A, True))]
    assert read(tmp_path / "k.jsonl", rows)[1] == [PAIR]
    renamed = [{"Q": row["prompt"], "A": row["completion"], "good": row["label"]} for row in rows]
    columns = {"prompt": "Q", "completion": "A", "label": "good"}
    report, examples = read(tmp_path / "k.jsonl", renamed, format=columns)
    assert report.format == "kto" and examples == [PAIR]


# --- problems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": "q", "answer": "16 - 4 = <<16-4=12>>12\n#### 12"}, Problem("q", "12", "16 - 4 = <<16-4=12>>12")),
        ({"question": "q", "answer": "#### 70,000"}, Problem("q", "70000")),
        ({"Body": "Two apples", "Question": "How many?", "Answer": 51.0, "Type": "Addition"},
         Problem("Two apples. How many?", "51", category="Addition")),
        ({"problem": "q", "final_answer": "-3"}, Problem("q", "-3")),
        ({"question": "q", "answer": "9 (apples)"}, Problem("q", "9")),
    ],
)  # fmt: skip
def test_what_makes_a_problem(one, row, expected):
    report, examples = one(row)
    assert report.kind == "problems" and examples == [expected]
    assert Problem.from_json(json.loads(json.dumps(examples[0].to_json()))) == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "q", "answer": "####"}, "the answer is empty"),
        ({"question": " ", "answer": "3"}, "the question is empty"),
        ({"question": "q"}, "no answer"),
        ({"question": "q", "answer": True}, "a truth value"),
        ({"question": "q", "answer": "long " * 100}, "too many to be checked"),
    ],
)
def test_what_makes_no_problem(one, row, reason):
    report, _ = one(row, format="problems")
    assert reason in report.problems[0].reason


def test_a_question_with_words_for_an_answer_is_a_conversation(one):
    assert one({"question": "Capital of France?", "answer": "Paris"})[0].kind == "conversations"
