"""Judges vote too, after people and never before: a chat model, a reward model, or a rule.

Each is asked in both orders, so that a judge who likes the first answer best contradicts itself instead of deciding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lab.config import SamplingConfig
from lab.labeling.answers import Answerer
from lab.labeling.desk import Project
from lab.labeling.project import Item
from lab.world import words
from lab.world.preferences import story_quality

Preference = Literal["first", "second", "tie"]
Messages = Sequence[dict[str, Any]]


class Judge(Protocol):
    """Who compares two answers to a prompt."""

    @property
    def name(self) -> str:
        """What the judge is called in reports."""
        ...

    def compare(self, prompt: Messages, first: str, second: str) -> Preference:
        """Which of two answers is better, in the order in which they are given."""
        ...


@dataclass(frozen=True)
class ScoreJudge:
    """A reward model or a rule: the answer with the higher score is better."""

    name: str
    score: Callable[[Messages, str], float]

    def compare(self, prompt: Messages, first: str, second: str) -> Preference:
        """Compare the two scores."""
        one, other = self.score(prompt, first), self.score(prompt, second)
        return "tie" if one == other else "first" if one > other else "second"


def story_quality_of(prompt: Messages, reply: str) -> float:
    """What the small world's rule for stories says of a reply: see `lab.world.preferences.story_quality`."""
    asked = re.findall(r"[a-z]+", str(prompt[-1]["content"]).lower())
    animal = next((word for word in asked if word in words.ANIMALS), "")
    return story_quality(reply, animal)


RULES: dict[str, ScoreJudge] = {"rule:stories": ScoreJudge("rule:stories", story_quality_of)}
"""Judges that know the truth of the small world, by name."""

Score = Callable[[Messages, str], float]
Scores = Callable[[str], Score | None]
"""What a reward model, by its reference, gives a reply; None for a model that writes."""


def no_scores(reference: str) -> None:
    """Where there are no reward models."""


def judge_named(name: str, ask: Answerer, scores: Scores) -> Judge:
    """The judge of a name: a rule of `RULES`, a reward model, or a chat model."""
    if name in RULES:
        return RULES[name]
    score = scores(name)
    return ChatJudge(name, ask) if score is None else ScoreJudge(name, score)


QUESTION = (
    "Here are a conversation and two answers to it.\n\nConversation:\n{conversation}\n\nAnswer 1:\n{first}\n\n"
    "Answer 2:\n{second}\n\nWhich answer is better? Reply with 1 or 2 and nothing else."
)


@dataclass(frozen=True)
class ChatJudge:
    """A chat model that is asked in words. A reply that names neither answer is a tie."""

    name: str
    ask: Answerer

    def compare(self, prompt: Messages, first: str, second: str) -> Preference:
        """Ask the model."""
        conversation = "\n".join(f"{message['role']}: {message['content']}" for message in prompt)
        question = QUESTION.format(conversation=conversation, first=first, second=second)
        sampling = SamplingConfig(temperature=0.0, max_new_tokens=8)
        reply = self.ask(self.name, [{"role": "user", "content": question}], sampling)
        said = {number for number in "12" if number in reply[:20]}
        return "first" if said == {"1"} else "second" if said == {"2"} else "tie"


def judge_items(project: Project, judge: Judge, limit: int = 1000) -> int:
    """Let a judge vote on what people have voted on and it has not; gives how many items. On the disk one by one."""
    with project.lock:
        voted = dict.fromkeys(vote.showing.item for vote in project.state.counting_votes() if vote.choice != "skip")
        todo = [project.state.items[item] for item in voted if (judge.name, item) not in project.state.verdicts]
    todo = [item for item in todo if len(item.answers) == 2][:limit]
    for item in todo:
        outcome, consistent = in_both_orders(judge, item)
        project.record_verdict(judge.name, item.id, outcome, consistent)
    return len(todo)


def in_both_orders(judge: Judge, item: Item) -> tuple[str, bool]:
    """(a, b or tie, whether both orders gave the same). When they do not, it is a tie."""
    a, b = (answer.text for answer in item.answers)
    forward: str = {"first": "a", "second": "b", "tie": "tie"}[judge.compare(item.prompt, a, b)]
    backward: str = {"first": "b", "second": "a", "tie": "tie"}[judge.compare(item.prompt, b, a)]
    return (forward, True) if forward == backward else ("tie", False)
