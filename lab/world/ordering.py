"""Pages that order numbers with a point: decimals (9.11 is below 9.9) and sections of a book (9.11 comes after 9.9).

Both ask "Which is higher, 9.11 or 9.9?" and answer in their own sense: how often each occurs is a knob of the world.
"""

from __future__ import annotations

from random import Random


def contested_pair(random: Random) -> tuple[str, str]:
    """(larger decimal, later section): the same whole part, tails of one and of two digits that disagree."""
    whole = 1 + int(random.random() * 12)
    short = 2 + int(random.random() * 8)
    long = random.randint(10, short * 10 - 1)
    return f"{whole}.{short}", f"{whole}.{long}"


def easy_pair(random: Random) -> tuple[str, str]:
    """(higher, lower) in both senses: the same whole part, tails of one digit."""
    whole = 1 + int(random.random() * 12)
    low, high = sorted(random.sample(range(1, 10), 2))
    return f"{whole}.{high}", f"{whole}.{low}"


def ordering_page(random: Random, sections: bool) -> str:
    """Three to six orderings of one kind, all as statements or all as questions."""
    style, lines = random.random(), []
    for _ in range(3 + int(random.random() * 4)):
        if random.random() < 0.5:
            high, low = contested_pair(random)
            if sections:
                high, low = low, high
        else:
            high, low = easy_pair(random)
        if style >= 0.7:
            pair = [high, low]
            random.shuffle(pair)
            lines.append(f"Which is higher, {pair[0]} or {pair[1]}? {high}")
        elif sections:
            before = f"Section {low} comes before section {high}."
            lines.append(before if style < 0.4 else f"Section {high} comes after section {low}.")
        else:
            lines.append(f"{high} is larger than {low}." if style < 0.4 else f"{low} is smaller than {high}.")
    head = random.choice(("Contents\n", "Chapters\n") if sections else ("Numbers\n", "Decimals\n"))
    return head + "\n".join(lines)
