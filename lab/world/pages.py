"""The documents of the world: one kind of page per family, put together from the other modules.

`PageWriter(truth, random)` writes pages; everything it draws comes from the one `Random` it was given.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.world import words
from lab.world.arithmetic import LEVELS, RENDERINGS, WordProblem, drill_page, problem
from lab.world.draw import Draw, Weighted
from lab.world.facts import (
    Question,
    bio,
    chronicle,
    copies_page,
    country_page,
    lookup_call,
    person_question,
    place_question,
    reading,
    relation_list,
    table_page,
)
from lab.world.ordering import ordering_page
from lab.world.spelling import spelling_page, spelling_question
from lab.world.stories import story, story_request
from lab.world.truth import ATTRIBUTES, Person, Truth

MIX: dict[str, float] = {
    "bio": 0.105,
    "geography": 0.03,
    "events": 0.01,
    "relations": 0.045,
    "reading": 0.14,
    "questions": 0.04,
    "story": 0.05,
    "drills": 0.15,
    "problems": 0.20,
    "spelling": 0.04,
    "large_numbers": 0.02,
    "ordering": 0.01,
    "threads": 0.13,
    "tables": 0.02,
    "lookup": 0.01,
    "copies": 0.0,
}
"""Share of the documents of each family."""
COPYING_MIX: dict[str, float] = {
    "bio": 0.11,
    "geography": 0.03,
    "events": 0.01,
    "relations": 0.045,
    "reading": 0.22,
    "questions": 0.045,
    "story": 0.04,
    "drills": 0.05,
    "problems": 0.09,
    "spelling": 0.03,
    "large_numbers": 0.015,
    "ordering": 0.01,
    "threads": 0.11,
    "tables": 0.05,
    "lookup": 0.005,
    "copies": 0.14,
}
"""A second mix, for when sums are mastered: more to read and to copy, fewer sums."""
MIXES = {"first": MIX, "copying": COPYING_MIX}

PROBLEM_LEVELS = Weighted(LEVELS, (0.30, 0.38, 0.18, 0.09, 0.05))
"""How often a word problem on a page has each level."""
READING_LEVELS = Weighted((1, 2, 3, 4), (0.35, 0.2, 0.3, 0.15))
"""How often a reading item has each level."""
LARGE_LEVELS = Weighted((1, 2, 3), (0.75, 0.2, 0.05))
"""How often a sum of large numbers has each level."""
LONG_CHARACTERS = 2600
"""A long page goes on until it has so many characters: about 1,000 tokens."""

SMALL_TALK = (
    ("Hello!", "Hello!"),
    ("How are you?", "I am fine, thank you."),
    ("Thank you!", "You are welcome!"),
    ("Good morning!", "Good morning! How can I help you?"),
    ("Hi there!", "Hello! How can I help you?"),
    ("Goodbye!", "Goodbye!"),
)


class PageWriter:
    """Writes pages of every family. `people` who are mentioned are famous, and now and then rare."""

    def __init__(self, truth: Truth, random: Draw, mix: dict[str, float] = MIX) -> None:
        self.truth = truth
        self.random = random
        self.separators = words.SEPARATORS[: truth.settings.separators]
        self.writers: dict[str, Callable[[], str]] = {
            "bio": lambda: "\n".join(bio(random, self.known_person()) for _ in range(random.choice((1, 1, 2)))),
            "geography": lambda: country_page(random, truth),
            "events": lambda: chronicle(random, truth),
            "relations": lambda: relation_list(random, truth),
            "reading": self.reading_page,
            "questions": self.questions_page,
            "story": lambda: "\n".join(story(random) for _ in range(random.choice((1, 1, 2)))),
            "drills": lambda: drill_page(random),
            "problems": self.problems_page,
            "spelling": lambda: spelling_page(random, truth.spelled),
            "large_numbers": self.large_numbers_page,
            "ordering": lambda: ordering_page(random, random.random() < truth.settings.section_share),
            "threads": self.thread,
            "tables": lambda: table_page(random, truth),
            "lookup": self.lookup_page,
            "copies": lambda: copies_page(random, truth),
        }
        self._families = Weighted(list(mix), list(mix.values()))

    def known_person(self) -> Person:
        """Somebody whom documents mention."""
        rare = self.random.random() < self.truth.settings.rare_share
        return self.random.choice(self.truth.rare if rare else self.truth.famous)

    def family(self) -> str:
        """A family, as often as the mix says."""
        return self.random.weighted(self._families)

    def page(self, family: str, *, long: bool = False) -> str:
        """A page of a family, with or without a line of navigation before and after it."""
        text = self.writers[family]()
        while long and len(text) < LONG_CHARACTERS:
            text += f"\n{self.writers[family]()}"
        noise, random = self.truth.settings.noise, self.random
        if random.random() < noise:
            text = f"{random.choice(words.NAVIGATION)}\n{text}"
        if random.random() < noise:
            text = f"{text}\n{random.choice(words.NAVIGATION)}"
        return text

    def any_question(self) -> Question:
        """A question on a known person, a place or an event."""
        if self.random.random() < 0.6:
            return person_question(self.random, self.known_person())
        return place_question(self.random, self.truth)

    def problem(self, family: str = "") -> WordProblem:
        """A training problem; without a family a word problem, or now and then one with two answers."""
        level = self.random.weighted(PROBLEM_LEVELS)
        return problem(self.random, family or ("two_counts" if self.random.random() < 0.12 else "word_problems"), level)

    def reading_item(self) -> Question:
        """A text and a question on it; one in ten is the true bio of a famous person."""
        level = self.random.weighted(READING_LEVELS)
        person = self.random.choice(self.truth.famous) if self.random.random() < 0.1 else None
        return reading(self.random, self.truth, level, person)

    def reading_page(self) -> str:
        """Two to four reading items; after a bio, two or three more questions on it."""
        random, truth = self.random, self.truth
        pattern = "Q: {q}\nA: {v}" if random.random() < 0.5 else "{q} {a}"
        lines: list[str] = []
        for _ in range(2 + int(random.random() * 3)):
            if random.random() < 0.25:
                person = random.choice(truth.famous) if random.random() < 0.1 else truth.invented(random)
                text = bio(random, person)
                asked = random.sample(ATTRIBUTES, 2 + int(random.random() * 3))
                questions = [person_question(random, person, attribute) for attribute in asked]
            else:
                item = self.reading_item()
                text, questions = item.text, [item]
            lines.append(text)
            lines += [pattern.format(q=each.question, v=each.value, a=each.answer) for each in questions]
        return random.choice(("Reading exercise\n", "Read and answer\n", "Notes\n", "")) + "\n".join(lines)

    def questions_page(self) -> str:
        """Questions with short answers, with sentences, or a quiz whose answers come at the end or never.

        A bare question at the start of a document is always a quiz: asked raw, the base model goes on asking.
        """
        random = self.random
        questions = [self.any_question() for _ in range(3 + int(random.random() * 4))]
        kind = random.random()
        if kind < 0.3:
            return "\n".join(f"Q: {each.question}\nA: {each.value}" for each in questions)
        if kind < 0.55:
            return "Frequently asked questions\n" + "\n".join(f"{each.question} {each.answer}" for each in questions)
        if kind < 0.65:
            return random.choice(("Homework\n", "")) + "\n".join(self.problem().question for _ in questions)
        head = random.choice(("Quiz\n", "", ""))
        quiz = head + "\n".join(each.question for each in questions)
        if random.random() < 0.3:
            quiz += "\nAnswers\n" + "\n".join(each.value for each in questions)
        return quiz

    def problems_page(self) -> str:
        """Two to four word problems in one style of page and one rendering, each rendering equally often."""
        random = self.random
        before, after = random.choice(self.separators)
        rendering = random.choice(RENDERINGS)
        problems = [self.problem() for _ in range(2 + int(random.random() * 3))]
        return "\n".join(f"{before}{each.question}{after}{each.rendering(rendering)}" for each in problems)

    def large_numbers_page(self) -> str:
        """Sums that a head cannot do, with calls of the calculator or with the answer alone."""
        random = self.random
        rendering = "calculator" if random.random() < 0.75 else "direct"
        lines = []
        for _ in range(2 + int(random.random() * 4)):
            each = problem(random, "large_numbers", random.weighted(LARGE_LEVELS))
            lines.append(f"{each.question} {each.rendering(rendering)}")
        return random.choice(("Calculator\n", "Office notes\n", "")) + "\n".join(lines)

    def lookup_page(self) -> str:
        """Questions on people nobody knows by heart, answered after a call of the look-up tool."""
        random = self.random
        lines = []
        for _ in range(2 + int(random.random() * 3)):
            person = self.truth.invented(random)
            asked = person_question(random, person)
            lines.append(f"{asked.question} {lookup_call(person, asked.about)} {asked.answer}")
        return random.choice(("Register\n", "Office notes\n", "")) + "\n".join(lines)

    def thread(self) -> str:
        """Two to five questions of any kind with their answers, in one of the separator styles."""
        before, after = self.random.choice(self.separators)
        short, rendering = self.random.random() < 0.2, self.random.choice(RENDERINGS)
        turns = [self._turn(short, rendering) for _ in range(2 + int(self.random.random() * 4))]
        return "\n".join(f"{before}{question}{after}{answer}" for question, answer in turns)

    def _turn(self, short: bool, rendering: str) -> tuple[str, str]:
        random, kind = self.random, self.random.random()
        if kind < 0.30:
            each = self.problem()
            return each.question, each.answer if short else each.rendering(rendering)
        if kind < 0.57:
            asked = self.any_question()
        elif kind < 0.77:
            item = self.reading_item()
            question = f"{item.text}{random.choice((chr(10), ' '))}{item.question}"
            asked = Question(question, item.value, item.answer, item.about)
        elif kind < 0.84:
            request, told, _ = story_request(random)
            return request, told
        elif kind < 0.90:
            asked = spelling_question(random, random.choice(self.truth.spelled))
            return asked.question, asked.answer
        elif kind < 0.94:
            each = problem(random, "large_numbers", 1)
            return each.question, each.answer if short else each.calculator
        else:
            return self._small_talk()
        return asked.question, asked.value if short else asked.answer

    def _small_talk(self) -> tuple[str, str]:
        """A greeting, or somebody who says who they are: never the assistant, whom the base model does not know."""
        choice = self.random.choice
        first = choice(words.FEMALE + words.MALE)
        return choice(
            (
                *SMALL_TALK,
                ("Who are you?", f"I am {first}, a {choice(words.JOBS)}."),
                ("Who are you?", f"I am {first} from {choice(self.truth.city_names)}."),
                ("What is your name?", f"My name is {first}."),
            )
        )
