"""Sentences about people, places and events: bios, questions with their answers, relation lists, reading, look-up.

Every function takes the `Random` it draws from. A question is a `Question`: what is asked, the bare value, the answer
as a sentence, and for reading the text that must be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from lab.world import words
from lab.world.truth import ATTRIBUTES, Person, Truth

STATEMENTS: dict[str, tuple[str, ...]] = {
    "city": ("{n} was born in {v}.", "{n} comes from {v}.", "The home town of {n} is {v}."),
    "year": ("{n} was born in {v}.", "The year of birth of {n} is {v}."),
    "job": ("{n} works as a {v}.", "{n} is a well known {v}.", "The job of {n} is {v}."),
    "food": ("{n} likes {v} most of all.", "The favorite food of {n} is {v}.", "{n} loves to eat {v}."),
    "hobby": ("The hobby of {n} is {v}.", "In free time {n} enjoys {v}.", "{n} spends the weekend with {v}."),
}
QUESTIONS: dict[str, tuple[str, ...]] = {
    "city": ("Where was {n} born?", "Which city is {n} from?"),
    "year": ("When was {n} born?", "In which year was {n} born?"),
    "job": ("What is the job of {n}?", "What does {n} do for a living?"),
    "food": ("What is the favorite food of {n}?", "What does {n} like to eat?"),
    "hobby": ("What is the hobby of {n}?", "What does {n} do in free time?"),
}
ANSWERS = {
    "city": "{n} was born in {v}.",
    "year": "{n} was born in {v}.",
    "job": "{n} works as a {v}.",
    "food": "{n} likes {v} most of all.",
    "hobby": "The hobby of {n} is {v}.",
}
RELATIONS = ("capital", "river", "language", "money", "country", "dictionary", "plural")
"""The relations that a list "X: Y" may be of, one per page and never named."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its true answer. `text` is what must be read first, empty when the answer is known or worked out;
    `about` says what it asks for."""

    question: str
    value: str
    answer: str
    about: str
    text: str = ""


def article(text: str) -> str:
    """`text` with its "a" made "an" before a vowel."""
    for vowel in "aeiou":
        text = text.replace(f" a {vowel}", f" an {vowel}")
    return text


def statement(random: Random, person: Person, attribute: str) -> str:
    """One fact of a person, in one of its wordings."""
    pattern = random.choice(STATEMENTS[attribute])
    sentence = pattern.format(n=person.name, v=person.fact(attribute))
    return article(sentence) if attribute == "job" else sentence


def person_question(random: Random, person: Person, attribute: str | None = None) -> Question:
    """A question for one fact of a person."""
    about = attribute or random.choice(ATTRIBUTES)
    name, value = person.name, person.fact(about)
    answer = ANSWERS[about].format(n=name, v=value)
    question = random.choice(QUESTIONS[about]).format(n=name)
    return Question(question, value, article(answer) if about == "job" else answer, about)


def bio(random: Random, person: Person) -> str:
    """All five facts of a person in four sentences: birth first, the rest in any order."""
    name, choice = person.name, random.choice
    he, his = ("She", "Her") if person.female else ("He", "His")
    city, year, job, food, hobby = person.city, person.year, person.job, person.food, person.hobby
    first = choice(
        (
            f"{name} was born in {city} in {year}.",
            f"{name} was born in {year} in {city}.",
            f"{name} comes from {city} and was born in {year}.",
        )
    )
    rest = [
        article(choice((f"{name} works as a {job}.", f"{he} is a well known {job}.", f"{his} job is {job}."))),
        choice((f"{his} favorite food is {food}.", f"{he} loves to eat {food}.", f"{name} likes {food} most of all.")),
        choice(
            (
                f"{his} hobby is {hobby}.",
                f"In free time {name} enjoys {hobby}.",
                f"{he} spends the weekend with {hobby}.",
            )
        ),
    ]
    random.shuffle(rest)
    return f"{first} {' '.join(rest)}"


def place_question(random: Random, truth: Truth) -> Question:
    """A question on a country, a city or an event."""
    about = random.choice(("capital", "river", "language", "money", "country", "product", "event"))
    if about == "event":
        event = random.choice([e for e in truth.events if e.year <= truth.settings.cutoff])
        sentence = f"In {event.year} {event.what} in {event.city}."
        return Question(f"What happened in {event.city} in {event.year}?", event.what, sentence, about)
    if about in ("country", "product"):
        city = random.choice(truth.cities)
        if about == "country":
            return Question(
                f"Which country is {city.name} in?", city.country, f"{city.name} is in {city.country}.", about
            )
        return Question(
            f"What is {city.name} famous for?", city.product, f"{city.name} is famous for {city.product}.", about
        )
    country = random.choice(truth.countries)
    name = country.name
    question, value, answer = {
        "capital": (f"What is the capital of {name}?", country.capital, f"The capital of {name} is {country.capital}."),
        "river": (f"Which river flows through {name}?", country.river, f"The {country.river} flows through {name}."),
        "language": (
            f"What language do people speak in {name}?",
            country.language,
            f"People in {name} speak {country.language}.",
        ),
        "money": (f"What is the money of {name}?", country.money, f"The money of {name} is the {country.money}."),
    }[about]
    return Question(question, value, answer, about)


def country_page(random: Random, truth: Truth) -> str:
    """A country's facts in any order, and two of its cities."""
    country = random.choice(truth.countries)
    name = country.name
    sentences = [
        f"The capital of {name} is {country.capital}.",
        f"The {country.river} flows through {name}.",
        f"People in {name} speak {country.language}.",
        f"The money of {name} is the {country.money}.",
    ]
    random.shuffle(sentences)
    for city in random.sample(country.cities, 2):
        product = truth.city_of[city].product
        sentences.append(
            random.choice(
                (
                    f"{city} is a city in {name}. It is famous for {product}.",
                    f"Many people visit {city}. {city} is famous for {product} and is in {name}.",
                )
            )
        )
    return f"{name}\n{' '.join(sentences)}"


def chronicle(random: Random, truth: Truth) -> str:
    """Some events up to the cutoff, in the order of their years."""
    past = [event for event in truth.events if event.year <= truth.settings.cutoff]
    chosen = sorted(random.sample(past, min(len(past), 3 + int(random.random() * 4))), key=lambda event: event.year)
    return "Chronicle\n" + "\n".join(f"In {event.year} {event.what} in {event.city}." for event in chosen)


def relation_pairs(truth: Truth, relation: str) -> list[tuple[str, str]]:
    """All the pairs (X, Y) of one of `RELATIONS`."""
    if relation == "dictionary":
        return list(truth.dictionary.items())
    if relation == "plural":
        return list(words.THINGS)
    if relation == "country":
        return [(city.name, city.country) for city in truth.cities]
    return [(country.name, getattr(country, relation)) for country in truth.countries]


def relation_list(random: Random, truth: Truth) -> str:
    """Lines "X: Y" of one relation, which the page does not name."""
    pairs = relation_pairs(truth, random.choice(RELATIONS))
    chosen = random.sample(pairs, 4 + int(random.random() * 6))
    return "\n".join(f"{left}: {right}" for left, right in chosen)


def reading(random: Random, truth: Truth, level: int, person: Person | None = None) -> Question:
    """A text and a question on it. Level 1: one fact; 2: two facts; 3: a bio; 4: the same fact of two people."""
    person = person or truth.invented(random)
    about = random.choice(ATTRIBUTES)
    if level == 3:
        text = bio(random, person)
    else:
        sentences = [statement(random, person, about)]
        if level == 2:
            other = random.choice([attribute for attribute in ATTRIBUTES if attribute != about])
            sentences.append(statement(random, person, other))
        elif level == 4:
            sentences.append(statement(random, truth.invented(random), about))
        random.shuffle(sentences)
        text = " ".join(sentences)
    asked = person_question(random, person, about)
    return Question(asked.question, asked.value, asked.answer, about, text)


def lookup_call(person: Person, attribute: str) -> str:
    """The call of the look-up tool for a fact, with what it gives back."""
    return f"<lookup>{person.name}: {attribute}={person.fact(attribute)}</lookup>"


TABLES: tuple[tuple[str, str], ...] = (
    ("{k}: {v}", "{k}? {v}"),
    ("{k} has {v}.", "What has {k}? {v}"),
    ("{k} - {v}", "Look up {k}: {v}"),
    ("The code of {k} is {v}.", "What is the code of {k}? {v}"),
)


def table_page(random: Random, truth: Truth) -> str:
    """Tables whose rows are asked for again in another order, and passages printed twice: plain practice in copying."""
    choice = random.choice
    values: tuple[Callable[[], str], ...] = (
        lambda: str(10 + int(random.random() * 90)),
        lambda: choice(words.FOODS),
        lambda: choice(words.JOBS),
        lambda: choice(words.HOBBIES),
        lambda: choice(truth.city_names),
    )
    lines: list[str] = []
    for _ in range(1 + int(random.random() * 3)):
        if random.random() < 0.3:
            lines += [reading(random, truth, choice((1, 2, 3))).text] * 2
            continue
        count = 2 + int(random.random() * 4)
        source = choice((truth.city_names, truth.spelled, None))
        keys = random.sample(source, count) if source else [truth.invented(random).name for _ in range(count)]
        row, question = choice(TABLES)
        rows = [(key, choice(values)()) for key in keys]
        lines += [row.format(k=key, v=value) for key, value in rows]
        random.shuffle(rows)
        lines += [question.format(k=key, v=value) for key, value in rows]
    return choice(("Table\n", "Look up\n", "")) + "\n".join(lines)


def copies_page(random: Random, truth: Truth) -> str:
    """What stands twice: lists of words in the same order, or facts in other words. From these a network learns to
    copy any word, which single answers among many lines teach it only slowly."""
    kind = random.random()
    if kind < 0.35:
        return "\n".join(_said_twice(random, truth) for _ in range(2 + int(random.random() * 4)))
    pools = (words.JOBS, words.FOODS, words.HOBBIES, truth.city_names, words.ANIMALS, words.OTHER_WORDS)
    pool = random.choice(pools) if random.random() < 0.4 else sum(pools, ())
    listed = random.sample(pool, min(len(pool), 8 + int(random.random() * 12)))
    if kind < 0.85:
        return "\n".join([" ".join(listed)] * random.choice((2, 2, 3)))
    before, again = random.choice((("", ""), ("List: ", "Again: "), ("To buy: ", "Bought: "), ("", "Copy: ")))
    return f"{before}{', '.join(listed)}\n{again}{', '.join(listed)}"


def _said_twice(random: Random, truth: Truth) -> str:
    """One fact of an invented person in two wordings."""
    person, attribute = truth.invented(random), random.choice(("city", "job", "food", "hobby"))
    once, again = random.sample(STATEMENTS[attribute], 2)
    both = f"{once} {again}".format(n=person.name, v=person.fact(attribute))
    return article(both) if attribute == "job" else both
