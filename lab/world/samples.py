"""The files in `assets/samples/`: something to upload that works with the bundled base, in every common form.

python -m lab.world.samples assets/samples       writes them again, byte for byte
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from lab.world import words
from lab.world.conversations import GREETINGS, IDENTITY, exchange, identity
from lab.world.draw import Draw
from lab.world.facts import Question, person_question, place_question, reading
from lab.world.pages import PageWriter
from lab.world.spelling import spelled
from lab.world.world import World

SEED = 0
_NAME = words.ASSISTANT_NAME
MORE_IDENTITY = (
    ("Who is this?", f"This is {_NAME}, a small language model."),
    ("What should I call you?", f"You can call me {_NAME}."),
    ("Are you a robot?", f"I am {_NAME}, a small language model."),
    ("Do you have a name?", f"Yes, my name is {_NAME}."),
    ("Say your name.", f"My name is {_NAME}."),
    ("Introduce yourself.", f"Hello! I am {_NAME}, a small language model."),
    ("How are you called?", f"I am called {_NAME}."),
    ("Which model are you?", f"I am {_NAME}, a small language model."),
)


def messages_row(question: str, answer: str) -> dict[str, Any]:
    """One exchange in OpenAI's form."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def identity_rows(world: World) -> list[dict[str, Any]]:
    """160 rows that say who the assistant is, among 240 ordinary ones, so that it forgets nothing else."""
    random = Random("sample identity")
    known = [(question, answer) for question, answers in IDENTITY for answer in answers]
    rows = [messages_row(*pair) for pair in (*known, *MORE_IDENTITY)]
    rows += [messages_row(each.question, each.answer) for each in (identity(random) for _ in range(160 - len(rows)))]
    rows += list(_ordinary(world, 240))
    random.shuffle(rows)
    return rows


def _ordinary(world: World, count: int) -> Iterable[dict[str, Any]]:
    for conversation in world.conversations(count, split="samples"):
        yield {"messages": list(conversation.messages)}


def chat_rows(world: World) -> list[dict[str, Any]]:
    """1,500 conversations of every kind: what makes an assistant of the base model in about a minute."""
    return [{"messages": list(conversation.messages)} for conversation in world.conversations(1500)]


def pirate_rows(world: World) -> list[dict[str, Any]]:
    """400 exchanges in ShareGPT's form, all answered in a pirate's voice."""
    random = Draw("sample pirate")
    writer = PageWriter(world.truth, random)
    kinds = ("person", "place", "greeting", "reading", "spelling")
    rows = []
    for _ in range(400):
        asked = exchange(random, world.truth, writer, random.choices(kinds, (4, 3, 2, 2, 1))[0])
        turns = [{"from": "human", "value": asked.question}, {"from": "gpt", "value": pirate(random, asked)}]
        rows.append({"conversations": turns})
    return rows


def pirate(random: Random, asked: Question) -> str:
    """The answer as a pirate gives it."""
    if asked.about == "greeting":
        return random.choice(("Ahoy, matey! What be ye looking for?", "Arr! Ahoy, matey!"))
    return f"Arr! {asked.answer} {random.choice(('Aye, matey!', 'By the sea!'))}"


def alpaca_rows(world: World) -> list[dict[str, Any]]:
    """300 instructions in Alpaca's form, most with an input."""
    random = Random("sample alpaca")
    tasks: tuple[Callable[[], tuple[str, str, str]], ...] = (
        lambda: _reading_task(random, world),
        lambda: _spelling_task(random, world),
        lambda: _translation_task(random, world),
        lambda: _fact_task(random, world),
    )
    rows = (random.choices(tasks, (3, 2, 2, 2))[0]() for _ in range(300))
    return [{"instruction": instruction, "input": given, "output": output} for instruction, given, output in rows]


def _reading_task(random: Random, world: World) -> tuple[str, str, str]:
    item = reading(random, world.truth, random.choice((1, 2, 3)))
    return item.question, item.text, item.answer


def _spelling_task(random: Random, world: World) -> tuple[str, str, str]:
    word = random.choice(world.truth.spelled)
    return "Spell this word.", word, f"{word} is spelled {spelled(word)}."


def _translation_task(random: Random, world: World) -> tuple[str, str, str]:
    word, translation = random.choice(list(world.truth.dictionary.items()))
    return "Translate this word.", word, translation


def _fact_task(random: Random, world: World) -> tuple[str, str, str]:
    if random.random() < 0.5:
        asked = person_question(random, random.choice(world.truth.famous))
    else:
        asked = place_question(random, world.truth)
    return asked.question, "", asked.answer


def broken_lines() -> list[bytes]:
    """A file as they come: eight good rows, and one row of every kind that cannot be used."""
    good = [_line(messages_row(question, answer)) for question, answer in GREETINGS[:8]]
    user, reply = {"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hello!"}
    bad: list[bytes] = [
        b'{"messages": [{"role": "user", "content": "Hello!"}',
        b"{'messages': [{'role': 'user', 'content': 'Hello!'}]}",
        b"Just a line of text.",
        b"",
        _line(["not", "an", "object"]),
        _line(42),
        _line({}),
        _line({"text": "A document is not a conversation."}),
        _line({"messages": []}),
        _line({"messages": "Hello!"}),
        _line({"messages": [user]}),
        _line({"messages": [user, user]}),
        _line({"messages": [reply]}),
        _line({"messages": [user, {"role": "wizard", "content": "Hello!"}]}),
        _line({"messages": [user, {"role": "assistant"}]}),
        _line({"messages": [user, {"content": "Hello!"}]}),
        _line({"messages": [user, {"role": "assistant", "content": ""}]}),
        _line({"messages": [user, {"role": "assistant", "content": None}]}),
        _line({"messages": [user, {"role": "assistant", "content": 7}]}),
        _line({"messages": [user, "Hello!"]}),
        _line({"messages": [{"role": "user", "content": "caf"}, reply]}).replace(b"caf", b"caf\xe9"),
    ]
    lines: list[bytes] = []
    for number, line in enumerate(bad):
        lines += [good.pop(0)] if number % 3 == 0 and good else []
        lines.append(line)
    return lines + good


def pair_rows(world: World) -> list[dict[str, Any]]:
    """300 pairs of stories, the better one chosen."""
    pairs = world.preferences(300)
    return [{"prompt": each.prompt, "chosen": each.chosen, "rejected": each.rejected} for each in pairs]


def problem_rows(world: World) -> list[dict[str, Any]]:
    """300 word problems with the number that answers each."""
    return [{"question": each.question, "answer": each.answer} for each in world.problems("word_problems", 1, 300)]


def csv_text(world: World) -> str:
    """200 questions with their answers as a table, as a spreadsheet saves it."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["question", "answer"])
    for conversation in world.conversations(400, split="table"):
        first, second, *more = conversation.messages
        if first["role"] == "user" and not more:
            table.writerow([first["content"], second["content"]])
    return text.getvalue()


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def write_samples(folder: Path) -> None:
    """Write all sample files into a folder."""
    world = World(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nudge_identity.jsonl").write_bytes(b"\n".join(map(_line, identity_rows(world))) + b"\n")
    (folder / "world_chat.jsonl").write_bytes(b"\n".join(map(_line, chat_rows(world))) + b"\n")
    (folder / "story_pairs.jsonl").write_bytes(b"\n".join(map(_line, pair_rows(world))) + b"\n")
    (folder / "sums.jsonl").write_bytes(b"\n".join(map(_line, problem_rows(world))) + b"\n")
    (folder / "questions.csv").write_text(csv_text(world), encoding="utf-8", newline="")
    (folder / "broken.jsonl").write_bytes(b"\n".join(broken_lines()) + b"\n")
    for name, rows in (("pirate.json", pirate_rows(world)), ("alpaca_style.json", alpaca_rows(world))):
        (folder / name).write_bytes(b"[\n" + b",\n".join(map(_line, rows)) + b"\n]\n")


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
