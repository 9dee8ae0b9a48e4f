"""Which answers are made and compared, and in which order: every prompt once before any prompt twice, and every two
models as often as any other two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from lab.labeling.chance import keyed, shuffled
from lab.labeling.project import ProjectAbout


@dataclass(frozen=True)
class Sample:
    """The n-th answer of a model to a prompt."""

    prompt: int
    model: str
    number: int

    def seed(self, about: ProjectAbout) -> int:
        """The seed of its sampling."""
        base = about.sampling.seed if about.sampling else 0
        return keyed(str(about.config.seed), "sample", base, self.prompt, self.model, self.number) % 2**31


def comparisons(about: ProjectAbout, prompts: int) -> Iterator[tuple[Sample, ...]]:
    """The groups of answers to compare, in order. Empty for a project of ready-made pairs."""
    groups = _groups(about)
    if not groups or not prompts:
        return
    seed = str(about.config.seed)
    order = shuffled(range(prompts), seed, "prompts")
    groups = shuffled(groups, seed, "groups")
    for turn in range(len(groups)):
        for place, prompt in enumerate(order):
            group = groups[(place + turn) % len(groups)]
            yield tuple(Sample(prompt, model, number) for model, number in group)


def planned(about: ProjectAbout, prompts: int) -> int:
    """How many comparisons there will be."""
    return len(_groups(about)) * prompts


def _groups(about: ProjectAbout) -> list[tuple[tuple[str, int], ...]]:
    """What is compared on each prompt: (model, number of its answer) of as many as are shown at once."""
    models, config = about.models, about.config
    if not models:
        return []
    if len(models) == 1:
        samples = max(config.samples, config.answers)
        numbers = range(0, samples - config.answers + 1, config.answers)
        return [tuple((models[0], first + k) for k in range(config.answers)) for first in numbers]
    size = min(config.answers, len(models))
    return [
        tuple((model, number) for model in chosen)
        for number in range(config.samples)
        for chosen in combinations(models, size)
    ]
