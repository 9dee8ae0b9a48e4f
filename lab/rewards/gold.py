"""The gold score: what the small world itself says of a completion, because it knows what is true.

A policy is never trained to please it, except on purpose: beside a reward model it shows where the model is fooled.
"""

from __future__ import annotations

import math

from lab.checks import exact_answer
from lab.rewards.sample import Sample
from lab.world.preferences import story_quality
from lab.world.words import ANIMALS

STORIES = "stories"
"""Category of the problems that ask for a story; their answer is the animal that it is to be about."""


def gold(sample: Sample) -> float:
    """For a story its quality (see `lab.world.preferences`), for a question with an answer 1 or 0, else nan: the world
    knows nothing of it."""
    if animal := _animal_of(sample):
        return story_quality(sample.completion, animal)
    if sample.answer:
        return float(sample.ended) * exact_answer(sample.completion, sample.answer)
    return math.nan


def checkable(answer: str, category: str) -> bool:
    """Whether a problem has a right answer, so that the gold score of a completion is 0 or 1."""
    return bool(answer) and category != STORIES


def _animal_of(sample: Sample) -> str:
    """What a story is to be about; "" when no story was asked for."""
    if sample.category == STORIES:
        return sample.answer
    prompt = sample.prompt.lower().split("\n")[-1]
    if "story" not in prompt:
        return ""
    said = prompt.replace(".", " ").replace("?", " ").split()
    return next((animal for animal in ANIMALS if animal in said), "")
