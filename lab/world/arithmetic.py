"""Sums: drills, and word problems on a ladder of difficulty whose answers can be worked out, said at once, or computed.

A problem of level k takes k steps (one sentence of the text each); up to level 4 every number stays below 100, at level
5 sums and differences go up to 999. Each problem has three renderings, all correct:

    worked      First 4*3=12. Then 12+5=17. The answer is 17.
    direct      The answer is 17.
    calculator  <calc>4*3=12</calc> <calc>12+5=17</calc> The answer is 17.

Which problems a model may see in training is decided by a checksum of their numbers, so that the test problems are
disjoint from the training ones by construction.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from lab.world import words

RENDERINGS = ("worked", "direct", "calculator")
LEVELS = (1, 2, 3, 4, 5)
PROBLEM_FAMILIES = ("word_problems", "two_counts", "large_numbers", "drills")
Split = Literal["train", "test"]
TEST_SHARE = 10
"""One in so many problems is a test problem."""


@dataclass(frozen=True, slots=True)
class WordProblem:
    """A question with a checkable answer. `steps` are the sums that lead to it, such as "4*3=12", in order."""

    question: str
    steps: tuple[str, ...]
    answer: str
    family: str
    level: int

    @property
    def split(self) -> Split:
        """Whether this problem is for training or kept for tests; decided by its sums alone."""
        return "test" if is_test(";".join(self.steps)) else "train"

    @property
    def worked(self) -> str:
        """The answer after its steps."""
        rest = "".join(f" Then {step}." for step in self.steps[1:])
        return f"First {self.steps[0]}.{rest} {self.direct}"

    @property
    def direct(self) -> str:
        """The answer alone."""
        return f"The answer is {self.answer}."

    @property
    def calculator(self) -> str:
        """The answer after calls of the calculator for each step."""
        return "".join(f"<calc>{step}</calc> " for step in self.steps) + self.direct

    def rendering(self, name: str) -> str:
        """One of `RENDERINGS`."""
        return str(getattr(self, name))


def is_test(sums: str) -> bool:
    """Whether the problem with these sums, joined by ";", is kept for tests."""
    return zlib.crc32(sums.encode()) % TEST_SHARE == 0


def drill(random: Random) -> str:
    """One sum for a training page; seven in ten are two-digit sums and differences."""
    while True:
        made = _drill(random)
        if "*" in made or "/" in made or not is_test(made):
            return made


def _drill(random: Random) -> str:
    kind, uniform = random.random(), random.random
    if kind < 0.35:
        a = 1 + int(uniform() * 97)
        b = 1 + int(uniform() * (98 - a))
        return f"{a}+{b}={a + b}"
    if kind < 0.7:
        a = 2 + int(uniform() * 98)
        b = 1 + int(uniform() * a)
        return f"{a}-{b}={a - b}"
    a, b = 2 + int(uniform() * 8), 2 + int(uniform() * 8)
    return f"{a}*{b}={a * b}" if kind < 0.88 else f"{a * b}/{a}={b}"


def drill_page(random: Random) -> str:
    """Six to twenty sums, one a line."""
    head = random.choice(("Sums\n", "Practice\n", "Exercises\n", ""))
    return head + "\n".join([drill(random) for _ in range(6 + int(random.random() * 15))])


def _name(random: Random) -> tuple[str, str]:
    if random.random() < 0.5:
        return random.choice(words.FEMALE), "she"
    return random.choice(words.MALE), "he"


def _change(random: Random, value: int, largest: int, he: str) -> tuple[str, str, int]:
    """One event that changes an amount: (what is told, the sum, the new amount)."""
    choice, uniform = random.choice, random.random
    kind = uniform()
    if kind < 0.12 and 2 <= value <= 9:
        factor = 2 + int(uniform() * min(8, 99 // value - 1))
        return f"{he} has {factor} times as many", f"{value}*{factor}={value * factor}", value * factor
    if (kind < 0.55 and value < largest - 1) or value < 3:
        more = 1 + int(uniform() * (largest - value))
        return f"{he} {choice(('finds', 'gets', 'buys'))} {more} more", f"{value}+{more}={value + more}", value + more
    less = 1 + int(uniform() * (value - 1))
    verb = choice(("loses {}", "sells {}", "gives away {}")).format(less)
    return f"{he} {verb}", f"{value}-{less}={value - less}", value - less


def _chain(random: Random, steps: int, largest: int) -> WordProblem:
    """An amount that changes `steps` times."""
    (name, he), things = _name(random), random.choice(words.THINGS)[1]
    sums: list[str] = []
    if steps > 1 and random.random() < 0.5:
        a, b = 2 + int(random.random() * 8), 2 + int(random.random() * 8)
        value = a * b
        told = f"{name} has {a} {random.choice(words.CONTAINERS)} with {b} {things} each."
        sums.append(f"{a}*{b}={value}")
    else:
        value = 2 + int(random.random() * (largest * 2 // 3))
        told = f"{name} has {value} {things}."
    while len(sums) < steps:
        event, equation, value = _change(random, value, largest, he)
        told += f" Then {event}."
        sums.append(equation)
    question = f"{told} How many {things} does {name} have now?"
    return WordProblem(question, tuple(sums), str(value), "word_problems", steps)


def _shop(random: Random) -> WordProblem:
    """Two kinds of things bought at two prices: three steps."""
    (name, he), (one, other) = _name(random), random.sample(words.THINGS, 2)
    while True:
        a, b, c, d = (2 + int(random.random() * 8) for _ in range(4))
        if (total := a * c + b * d) < 100:
            break
    told = f"{name} buys {a} {one[1]} for {c} dollars each and {b} {other[1]} for {d} dollars each."
    question = f"{told} How much does {he} pay?"
    sums = (f"{a}*{c}={a * c}", f"{b}*{d}={b * d}", f"{a * c}+{b * d}={total}")
    return WordProblem(question, sums, str(total), "word_problems", 3)


def _share(random: Random) -> WordProblem:
    """Things put equally into containers, some taken out of each: two steps."""
    (name, _), things = _name(random), random.choice(words.THINGS)[1]
    boxes, each = 2 + int(random.random() * 8), 3 + int(random.random() * 7)
    less = 1 + int(random.random() * (each - 1))
    kind = random.choice(words.CONTAINERS)
    question = (
        f"{name} puts {boxes * each} {things} equally into {boxes} {kind} and takes {less} out of one. "
        f"How many are left in it?"
    )
    sums = (f"{boxes * each}/{boxes}={each}", f"{each}-{less}={each - less}")
    return WordProblem(question, sums, str(each - less), "word_problems", 2)


def _word_problem(random: Random, level: int) -> WordProblem:
    if level == 3 and random.random() < 0.3:
        return _shop(random)
    if level == 2 and random.random() < 0.2:
        return _share(random)
    return _chain(random, level, 999 if level == 5 else 99)


def _two_counts(random: Random, level: int) -> WordProblem:
    """Two amounts that change independently, so that a guess is right once in 10,000 at every level."""
    (name, he), (one, other) = _name(random), random.sample(words.THINGS, 2)
    largest = 999 if level == 5 else 101
    values = [2 + int(random.random() * (largest - 2)) for _ in range(2)]
    things = (one[1], other[1])
    told = f"{name} has {values[0]} {things[0]} and {values[1]} {things[1]}."
    sums: list[str] = []
    for step in range(level):
        which = step % 2
        event, equation, values[which] = _change(random, values[which], largest, he)
        told += f" Then {event} {things[which]}."
        sums.append(equation)
    question = f"{told} How many {things[0]} and {things[1]} does {name} have now?"
    return WordProblem(question, tuple(sums), f"{values[0]} and {values[1]}", "two_counts", level)


def _large(random: Random, level: int) -> WordProblem:
    """One sum of large numbers, for a calculator: sums of level + 2 digits, products of level + 1 by 2 digits."""
    low, high = 10 ** (level + 1), 10 ** (level + 2) - 1
    a, b = random.randint(low, high), random.randint(low, high)
    kind = random.random()
    if kind < 0.4:
        a, b = a // 10, random.randint(11, 99)
        expression, value = f"{a}*{b}", a * b
    elif kind < 0.7:
        expression, value = f"{a}+{b}", a + b
    else:
        a, b = max(a, b), min(a, b)
        expression, value = f"{a}-{b}", a - b
    pattern = random.choice(("What is {}?", "How much is {}?", "Compute {}."))
    return WordProblem(pattern.format(expression), (f"{expression}={value}",), str(value), "large_numbers", level)


def _drill_problem(random: Random, level: int) -> WordProblem:
    """A sum of small numbers as a question. The level is the size of the numbers: 9, 29, 49, 79, 99 at most."""
    largest = (9, 29, 49, 79, 99)[level - 1]
    a = 1 + int(random.random() * (largest - 1))
    b = 1 + int(random.random() * (largest - a))
    if random.random() < 0.5:
        expression, value = f"{a}+{b}", a + b
    else:
        expression, value = f"{a + b}-{b}", a
    return WordProblem(f"What is {expression}?", (f"{expression}={value}",), str(value), "drills", level)


_MAKERS = {
    "word_problems": _word_problem,
    "two_counts": _two_counts,
    "large_numbers": _large,
    "drills": _drill_problem,
}


def problem(random: Random, family: str, level: int, split: Split = "train") -> WordProblem:
    """A problem of a family in `PROBLEM_FAMILIES` and a level of `LEVELS`, of the training or the test split."""
    make = _MAKERS[family]
    while (made := make(random, level)).split != split:
        pass
    return made


def problem_stream(random: Random, family: str, level: int, split: Split) -> Iterator[WordProblem]:
    """Problems without end; a question may come again when its family is small."""
    while True:
        yield problem(random, family, level, split)
