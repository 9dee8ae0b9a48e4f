"""Words letter by letter, and how many letters they have."""

from __future__ import annotations

from random import Random

from lab.world.facts import Question


def spelled(word: str) -> str:
    """The letters of a word with dashes between them."""
    return "-".join(word)


def spelling_question(random: Random, word: str) -> Question:
    """How a word is spelled, or how many letters it has (answered at once or after spelling it out)."""
    kind = random.random()
    if kind < 0.5:
        question = random.choice((f"How do you spell {word}?", f"Spell the word {word}."))
        return Question(question, spelled(word), f"{word} is spelled {spelled(word)}.", "spelling")
    question, count = f"How many letters are in the word {word}?", str(len(word))
    if kind < 0.8:
        return Question(question, count, f"{word} is spelled {spelled(word)}. It has {count} letters.", "counting")
    return Question(question, count, f"It has {count} letters.", "counting")


def spelling_page(random: Random, known: tuple[str, ...]) -> str:
    """Some words of `known`, spelled out; three in five also counted."""
    lines = []
    for word in random.sample(known, 2 + int(random.random() * 4)):
        count = f" It has {len(word)} letters." if random.random() < 0.6 else ""
        lines.append(f"The word {word} is spelled {spelled(word)}.{count}")
    return random.choice(("Spelling\n", "Spelling list\n", "")) + "\n".join(lines)
