"""Small stories from a grammar: an animal, where it goes, what happens there, who helps, how it ends.

The slots multiply to far more stories than any corpus holds, so that a story is not a page learnt by heart.
"""

from __future__ import annotations

from random import Random

from lab.world import words
from lab.world.facts import article

STORY_REQUESTS = (
    "Tell me a story about a {a}.",
    "Write a story about a {a}.",
    "I want a story about a {a}.",
    "Please tell a story about a {a}.",
)

_WAYS = (
    "Every day {n} went to the {p}.",
    "One day {n} walked to the {p}.",
    "{n} lived near the {p}.",
    "On a {w} morning {n} ran to the {p}.",
    "It was a {w} day and {n} stayed in the {p}.",
)
_TURNS = (
    "There {n} found a {t}.",
    "{n} was {b} because the {t} was gone.",
    "A {o} gave {n} a {t}.",
    "{n} lost the {t} in the {q}.",
    "Behind a tree {n} saw a {o} with a {t}.",
    '"Where is my {t}?" {s} {n}.',
)
_HELPS = (
    "A {g2} friend came to help.",
    "They looked in the {q} together.",
    "{n} ran to the {q}.",
    '"Come to the {q}," {s} the {o}.',
    "The {o} was {g2} and shared some {f}.",
)
_ENDS = (
    "In the end {n} was {g3}.",
    "Then {n} went home and slept.",
    "From then on they were {g3} friends.",
    "That night {n} dreamed of the {p}.",
    "And they ate {f} together.",
)


def story(random: Random, animal: str | None = None) -> str:
    """A story of three to five sentences about `animal` (any, when None)."""
    choice = random.choice
    name = words.ASSISTANT_NAME if random.random() < 0.06 else choice(words.FEMALE + words.MALE)
    good = random.sample(words.GOOD, 3)
    place, other_place = random.sample(words.PLACES, 2)
    slots = {
        "n": name,
        "p": place,
        "q": other_place,
        "t": choice(words.THINGS)[0],
        "o": choice(words.ANIMALS),
        "b": choice(words.BAD),
        "w": choice(words.WEATHER),
        "s": choice(words.SOUNDS),
        "f": choice(words.FOODS),
        "g2": good[1],
        "g3": good[2],
    }
    parts = [f"Once there was a {good[0]} {animal or choice(words.ANIMALS)} called {name}."]
    parts.append(choice(_WAYS))
    if random.random() < 0.8:
        parts.append(choice(_TURNS))
    if random.random() < 0.7:
        parts.append(choice(_HELPS))
    parts.append(choice(_ENDS))
    return article(" ".join(parts).format(**slots))


def story_request(random: Random) -> tuple[str, str, str]:
    """(request, story, animal)."""
    animal = random.choice(words.ANIMALS)
    return article(random.choice(STORY_REQUESTS).format(a=animal)), story(random, animal), animal
