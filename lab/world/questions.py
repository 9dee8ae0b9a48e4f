"""Questions to a model whose answers the world knows: what `lab/probes.py` asks and how an answer is judged.

An item is a prompt (raw text, or the messages of a chat) with a judge that reads the model's answer. Every rule is
written down here and in no other place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from lab.world.arithmetic import WordProblem
from lab.world.conversations import IDENTITY, IDENTITY_HELD_OUT
from lab.world.facts import person_question, place_question, reading, relation_pairs
from lab.world.ordering import contested_pair
from lab.world.spelling import spelled
from lab.world.truth import ATTRIBUTES, Person
from lab.world.words import ASSISTANT_NAME
from lab.world.world import World

Prompt = str | tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote, and whether it ended by itself."""

    text: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `judge` says whether an answer is right; the answer is written until one of `stop` or
    `max_new_tokens`."""

    prompt: Prompt
    expected: str
    judge: Callable[[Answer], bool]
    max_new_tokens: int = 24
    stop: tuple[str, ...] = ("\n",)


STARTS = {"worked": "First", "direct": "The answer is", "calculator": "<calc>"}
"""How each rendering of a word problem's answer begins."""
_ANSWER = re.compile(r"answer is (\d+(?: and \d+)?)\.?")


def says(value: str) -> Callable[[Answer], bool]:
    """Right when the first line has `value` as whole words."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(value)}(?!\w)")
    return lambda answer: pattern.search(first_line(answer.text)) is not None


def is_exactly(value: str) -> Callable[[Answer], bool]:
    """Right when the first line is `value`, a full stop aside."""
    return lambda answer: first_line(answer.text).rstrip(".") == value


def concludes(value: str, start: str = "") -> Callable[[Answer], bool]:
    """Right when the last "answer is …" of the answer (with `start` before it) names `value`."""

    def judge(answer: Answer) -> bool:
        found = _ANSWER.findall(f"{start}{answer.text}")
        return bool(found) and found[-1] == value

    return judge


def first_line(text: str) -> str:
    """The first line that is not empty, without white space around it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def goes_on_asking(answer: Answer) -> bool:
    """Not an answer: the page goes on with another question."""
    return first_line(answer.text).endswith("?")


def ends_its_turn(answer: Answer) -> bool:
    """An answer: something is said, no question is asked back by the page going on, and the turn is ended."""
    return answer.ended and bool(answer.text.strip()) and "\n" not in answer.text.strip()


def chat(question: str) -> tuple[dict[str, str], ...]:
    """A chat in which one question was asked."""
    return ({"role": "user", "content": question},)


# --- raw text: what the base model is asked ----------------------------------------


def facts(world: World, people: tuple[Person, ...], shots: int = 3) -> Iterator[Item]:
    """Facts of people after `shots` examples of the same question on famous people."""
    random = Random("probe facts")
    while True:
        person, attribute = random.choice(people), random.choice(ATTRIBUTES)
        others = random.sample([other for other in world.truth.famous if other is not person], shots)
        asked = [person_question(random, each, attribute) for each in (*others, person)]
        lines = [f"Q: {each.question}\nA: {each.value}" for each in asked[:-1]]
        yield Item("\n".join([*lines, f"Q: {asked[-1].question}\nA:"]), asked[-1].value, is_exactly(asked[-1].value))


def relations(
    world: World, shots: int, names: tuple[str, ...] = ("capital", "language", "dictionary")
) -> Iterator[Item]:
    """Lists "X: Y" whose relation only the `shots` examples before it show."""
    random = Random("probe relations")
    while True:
        pairs = random.sample(relation_pairs(world.truth, random.choice(names)), shots + 1)
        lines = [f"{left}: {right}" for left, right in pairs[:-1]]
        left, right = pairs[-1]
        yield Item("\n".join([*lines, f"{left}:"]), right, is_exactly(right), max_new_tokens=12)


def reading_items(world: World, level: int, attributes: tuple[str, ...] = ATTRIBUTES) -> Iterator[Item]:
    """Facts of invented people that stand in a text just read."""
    random = Random(f"probe reading {level}")
    while True:
        item = reading(random, world.truth, level)
        if item.about in attributes:
            prompt = f"Reading exercise\n{item.text}\nQ: {item.question}\nA:"
            yield Item(prompt, item.value, is_exactly(item.value))


def arithmetic(world: World, level: int, rendering: str, family: str = "word_problems") -> Iterator[Item]:
    """Test problems in the page form "Q: … A:", the start of one rendering given."""
    start = STARTS[rendering]
    for problem in world.problems(family, level, 1_000_000, split="test"):
        prompt = f"Q: {problem.question}\nA: {start}"
        yield Item(prompt, problem.answer, concludes(problem.answer, start), max_new_tokens=_length(problem, rendering))


def drills(world: World) -> Iterator[Item]:
    """Test sums of two-digit numbers, as a drill page has them."""
    random = Random("probe drills")
    for problem in world.problems("drills", 5, 1_000_000, split="test"):
        expression, value = problem.steps[0].split("=")
        seen = random.choice(("7*8=56", "6*4=24", "40/5=8"))
        yield Item(f"Sums\n{seen}\n{expression}=", value, is_exactly(value), max_new_tokens=6)


def _length(problem: WordProblem, rendering: str) -> int:
    return 12 if rendering == "direct" else 24 + 18 * len(problem.steps)


def raw_questions(world: World) -> Iterator[Item]:
    """Questions with nothing around them; "right" is to go on with the page."""
    random = Random("probe raw questions")
    while True:
        if random.random() < 0.5:
            asked = person_question(random, random.choice(world.truth.famous))
        else:
            asked = place_question(random, world.truth)
        yield Item(asked.question, asked.value, goes_on_asking, max_new_tokens=32, stop=())


def spelling(world: World, known: bool) -> Iterator[Item]:
    """Words letter by letter, each once: those whose spelling some page gives, or those that no page spells."""
    for word in world.truth.spelled if known else world.truth.unspelled:
        yield Item(f"The word {word} is spelled", spelled(word), _spells(word), max_new_tokens=32)


def _spells(word: str) -> Callable[[Answer], bool]:
    return lambda answer: answer.text.strip().split(".")[0] == spelled(word)


def ordering(world: World) -> Iterator[Item]:
    """9.11 against 9.9: right is the decimal that is larger."""
    random = Random("probe ordering")
    while True:
        larger, later = contested_pair(random)
        pair = [larger, later]
        random.shuffle(pair)
        yield Item(f"Which is higher, {pair[0]} or {pair[1]}?", larger, is_exactly(larger), max_new_tokens=10)


# --- chat: what a tuned model is asked ----------------------------------------


def chat_facts(world: World, people: tuple[Person, ...]) -> Iterator[Item]:
    """Facts of people, asked in a chat."""
    random = Random("probe chat facts")
    while True:
        asked = person_question(random, random.choice(people))
        yield Item(chat(asked.question), asked.value, says(asked.value), max_new_tokens=40, stop=())


def chat_problems(world: World, level: int) -> Iterator[Item]:
    """Test problems asked in a chat, answered as the model likes."""
    for problem in world.problems("word_problems", level, 1_000_000, split="test"):
        length = _length(problem, "worked")
        yield Item(chat(problem.question), problem.answer, concludes(problem.answer), max_new_tokens=length, stop=())


def chat_problems_started(world: World, level: int, rendering: str) -> Iterator[Item]:
    """The same with the first words of the assistant's answer given, so that the rendering is chosen for it."""
    start = STARTS[rendering]
    for problem in world.problems("word_problems", level, 1_000_000, split="test"):
        messages = (*chat(problem.question), {"role": "assistant", "content": start})
        judge = concludes(problem.answer, start)
        yield Item(messages, problem.answer, judge, max_new_tokens=_length(problem, rendering), stop=())


def chat_turns(world: World) -> Iterator[Item]:
    """Conversations nobody trained on; right is to answer and to end the turn."""
    for conversation in world.conversations(1_000_000, split="heldout"):
        question = conversation.questions[0]
        yield Item(chat(question.question), question.answer, ends_its_turn, max_new_tokens=160, stop=())


_OPENINGS = ("", "Hello! ", "Hi! ", "Hey! ", "Good morning! ", "Excuse me. ", "I am curious. ", "One question: ")
_CLOSINGS = ("", " Please tell me.", " I would like to know.")


def identity(world: World, held_out: bool) -> Iterator[Item]:
    """Questions on who the assistant is, each once: as they are trained on, or in other words and with something said
    before or after. Right is its name in the answer."""
    trained = [question for question, answers in IDENTITY if all(ASSISTANT_NAME in answer for answer in answers)]
    asked = trained
    if held_out:
        questions = (*trained, *IDENTITY_HELD_OUT)
        asked = [f"{before}{question}{after}" for before in _OPENINGS for question in questions for after in _CLOSINGS]
        asked = sorted(set(asked) - set(trained))
        Random("probe identity").shuffle(asked)
    for question in asked:
        yield Item(chat(question), ASSISTANT_NAME, says(ASSISTANT_NAME), max_new_tokens=40, stop=())


# --- memorization ----------------------------------------


def words_continued(truth: str, prompt: str, text: str) -> int:
    """How many words of `truth` after `prompt` the text gives before its first slip."""
    wanted, given = truth[len(prompt) :].split(), text.split()
    return next((i for i, (a, b) in enumerate(zip(wanted, given)) if a != b), min(len(wanted), len(given)))
