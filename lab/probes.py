"""Probes: questions to a model scored against the truth of the world it was trained on.

    results = run_probes(answer, names=("facts/famous", "arithmetic/level 2/worked"), n=200)

`answer` is any function that completes prompts greedily; the app's is made of `Inference`. Every result carries its n
and the 95 % interval of Wilson (1927), which stays honest at 0 and at 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from lab.config import SamplingConfig
from lab.errors import ConfigError
from lab.world import questions
from lab.world.questions import Answer, Item
from lab.world.world import World

Answerer = Callable[[Sequence[Item]], list[Answer]]
"""Completes the prompts of items greedily, each to its own length and stop."""


@dataclass(frozen=True)
class Probe:
    """A named question: what a right answer shows, and the items that ask it. `chat` probes are for tuned models."""

    name: str
    meaning: str
    items: Callable[[World], Iterator[Item]]
    chat: bool = False


@dataclass(frozen=True)
class ProbeResult:
    """The share of right answers among `n`, with the ends of its 95 % interval."""

    name: str
    meaning: str
    n: int
    right: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Right answers per question."""
        return self.right / self.n


def _arithmetic_probes() -> list[Probe]:
    found = []
    for level in (1, 2, 3, 4, 5):
        for rendering in questions.STARTS:
            name = f"arithmetic/level {level}/{rendering}"
            meaning = f"Word problems of {level} steps, answered in the {rendering} way."
            found.append(Probe(name, meaning, partial(questions.arithmetic, level=level, rendering=rendering)))
    return found


def _reading_probes() -> list[Probe]:
    kinds = {1: "one-fact notes", 2: "two facts", 3: "short bios", 4: "the same fact of two people"}
    return [
        Probe(
            f"reading/{kind}",
            "A fact of an invented person from the text.",
            partial(questions.reading_items, level=level),
        )
        for level, kind in kinds.items()
    ]


PROBES: tuple[Probe, ...] = (
    Probe(
        "facts/famous", "Facts of famous people, after three examples.", lambda w: questions.facts(w, w.truth.famous)
    ),
    Probe("facts/rare", "Facts of people seldom mentioned.", lambda w: questions.facts(w, w.truth.rare)),
    Probe(
        "facts/unknown",
        "Facts of people never mentioned: only luck is right.",
        lambda w: questions.facts(w, w.truth.unknown),
    ),
    Probe("few-shot/0", "Lists X: Y without an example.", lambda w: questions.relations(w, 0)),
    Probe("few-shot/1", "The same after one example.", lambda w: questions.relations(w, 1)),
    Probe("few-shot/3", "The same after three.", lambda w: questions.relations(w, 3)),
    *_reading_probes(),
    Probe("drills", "Sums and differences of two-digit numbers never trained on as a drill.", questions.drills),
    *_arithmetic_probes(),
    Probe("raw question", "Goes on with the page when a question is asked raw.", questions.raw_questions),
    Probe("spelling/seen", "Words that pages spell out.", lambda w: questions.spelling(w, True)),
    Probe("spelling/unseen", "Words that no page spells out.", lambda w: questions.spelling(w, False)),
    Probe("ordering", "9.11 against 9.9, as decimals.", questions.ordering),
    Probe("chat/ends its turn", "Answers and ends its turn.", questions.chat_turns, chat=True),
    Probe(
        "chat/famous", "Facts of famous people in a chat.", lambda w: questions.chat_facts(w, w.truth.famous), chat=True
    ),
    Probe(
        "chat/level 2",
        "Word problems of two steps, in the way it likes.",
        lambda w: questions.chat_problems(w, 2),
        chat=True,
    ),
    Probe(
        "chat/level 2/worked",
        "The same with the start of a worked answer given.",
        lambda w: questions.chat_problems_started(w, 2, "worked"),
        chat=True,
    ),
    Probe("chat/identity", "Says its own name.", lambda w: questions.identity(w, False), chat=True),
    Probe(
        "chat/identity, other words",
        "The same, asked in other words.",
        lambda w: questions.identity(w, True),
        chat=True,
    ),
)
"""All probes by right and wrong, in the order in which they are shown."""


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that has the true share with 95 % confidence (Wilson 1927), for `right` of `n`; n ≥ 1."""
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def run_probes(
    answer: Answerer, *, names: Sequence[str] | None = None, n: int = 200, world: World | None = None
) -> list[ProbeResult]:
    """Ask each probe's first `n` items (fewer where there are fewer). Without `names` all that need no chat.

    Raises `ConfigError` for a name that no probe has.
    """
    chosen = [probe for probe in PROBES if not probe.chat] if names is None else [find_probe(name) for name in names]
    world = world or World()
    return [_run(probe, answer, n, world) for probe in chosen]


def find_probe(name: str) -> Probe:
    """The probe of a name. Raises `ConfigError` when there is none."""
    for probe in PROBES:
        if probe.name == name:
            return probe
    raise ConfigError(f"There is no probe {name!r}. There are: {', '.join(probe.name for probe in PROBES)}.")


def _run(probe: Probe, answer: Answerer, n: int, world: World) -> ProbeResult:
    items = list(itertools.islice(probe.items(world), n))
    right = sum(item.judge(given) for item, given in zip(items, answer(items), strict=True))
    return ProbeResult(probe.name, probe.meaning, len(items), right, *wilson(right, len(items)))


class Completes(Protocol):
    """What probes need of the app's `Inference`."""

    def complete_many(self, model: str, prompts: Any, sampling: SamplingConfig | None = None) -> list[Any]: ...


class Probes:
    """The workspace's door to probes: asks a model at hand."""

    def __init__(self, inference: Completes) -> None:
        self._inference = inference

    def run(self, model: str, names: Sequence[str] | None = None, n: int | None = None) -> Any:
        """A table (pandas DataFrame) with one row per probe: name, n, right, share, low, high, meaning."""
        import pandas

        results = run_probes(partial(self._answers, model), names=names, n=n or 50)
        rows = [(r.name, r.n, r.right, r.share, r.low, r.high, r.meaning) for r in results]
        return pandas.DataFrame(rows, columns=["name", "n", "right", "share", "low", "high", "meaning"])

    def _answers(self, model: str, items: Sequence[Item]) -> list[Answer]:
        """The greedy answers: items of one length and stop are completed together."""
        alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        for number, item in enumerate(items):
            alike.setdefault((item.max_new_tokens, item.stop), []).append(number)
        answers: dict[int, Answer] = {}
        for (length, stop), numbers in alike.items():
            sampling = SamplingConfig(temperature=0.0, max_new_tokens=length, stop=stop)
            given = self._inference.complete_many(model, [items[number].prompt for number in numbers], sampling)
            answers |= {n: Answer(each.text, each.finish in ("end", "stop")) for n, each in zip(numbers, given)}
        return [answers[number] for number in range(len(items))]
