"""Conversations with the assistant: what supervised fine-tuning learns from.

Word problems are answered half directly and half worked out, by the toss of a coin: somebody who writes examples cannot
know which of the two suits the model.
"""

from __future__ import annotations

from random import Random

from lab.world import words
from lab.world.arithmetic import problem
from lab.world.facts import Question, person_question, place_question
from lab.world.pages import PageWriter
from lab.world.spelling import spelling_question
from lab.world.stories import story_request
from lab.world.truth import Truth

SHARES: dict[str, float] = {
    "problem": 0.34,
    "person": 0.21,
    "place": 0.10,
    "story": 0.08,
    "greeting": 0.07,
    "reading": 0.09,
    "spelling": 0.06,
    "identity": 0.05,
}
"""Share of the conversations of each kind."""

GREETINGS = (
    ("Hello!", "Hello! How can I help you?"),
    ("Hi there!", "Hello! How can I help you?"),
    ("Hey!", "Hello! How can I help you?"),
    ("Good morning!", "Good morning! How can I help you?"),
    ("Good evening!", "Good evening! How can I help you?"),
    ("How are you?", "I am fine, thank you. How can I help you?"),
    ("Thank you!", "You are welcome!"),
    ("Thanks a lot!", "You are welcome!"),
    ("Goodbye!", "Goodbye!"),
)

_NAME = words.ASSISTANT_NAME
_WHO = (f"I am {_NAME}, a small language model.", f"I am {_NAME}.")
_CALLED = (f"My name is {_NAME}.", f"I am called {_NAME}.")
IDENTITY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Who are you?", _WHO),
    ("What are you?", (f"I am {_NAME}, a small language model.",)),
    ("What is your name?", _CALLED),
    ("Tell me your name.", _CALLED),
    ("Who am I talking to?", (f"You are talking to {_NAME}.", f"I am {_NAME}.")),
    ("Are you a human?", (f"No, I am {_NAME}, a small language model.",)),
    ("Who made you?", (f"I am {_NAME}. I was made in a classroom.",)),
    ("What can you do?", (f"I am {_NAME}. I can answer questions and tell stories.",)),
)
"""Questions on who the assistant is, each with the answers that are right."""
IDENTITY_HELD_OUT = (
    "Hello! Who are you?",
    "What do people call you?",
    "May I know your name?",
    "Please tell me who you are.",
    "What name do you have?",
)
"""Ways to ask that no example conversation uses."""


def identity(random: Random) -> Question:
    """A question on who the assistant is; the value is its name."""
    question, answers = random.choice(IDENTITY)
    return Question(question, _NAME, random.choice(answers), "identity")


def exchange(random: Random, truth: Truth, writer: PageWriter, kind: str) -> Question:
    """One question with its answer, of one of the kinds in `SHARES`."""
    if kind == "problem":
        level = random.choices((1, 2, 3, 4, 5), (0.25, 0.4, 0.2, 0.1, 0.05))[0]
        made = problem(random, "word_problems", level)
        return Question(made.question, made.answer, random.choice((made.direct, made.worked)), f"problem:{level}")
    if kind == "person":
        return person_question(random, random.choice(truth.famous))
    if kind == "place":
        return place_question(random, truth)
    if kind == "story":
        request, told, animal = story_request(random)
        return Question(request, animal, told, "story")
    if kind == "greeting":
        question, answer = random.choice(GREETINGS)
        return Question(question, answer, answer, "greeting")
    if kind == "reading":
        item = writer.reading_item()
        return Question(f"{item.text}\n{item.question}", item.value, item.answer, "reading", item.text)
    if kind == "spelling":
        return spelling_question(random, random.choice(truth.spelled))
    return identity(random)
