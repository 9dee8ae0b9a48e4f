"""Labels of which the better answer is as often the longer one as the shorter, and by as much.

A reward model trained on labels in which people chose the longer answer learns length. Here every label whose better
answer is longer is kept only with a partner whose better answer is shorter by about the same factor.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol, TypeVar

from lab.labeling.chance import keyed

CLOSE = 0.1
"""How far the logarithms of two length ratios may lie apart for two labels to balance each other."""


class Sized(Protocol):
    """Something whose better part is longer than the other by some factor."""

    @property
    def longer_by(self) -> float:
        """Logarithm of that factor; negative when it is shorter."""
        ...


Label = TypeVar("Label", bound=Sized)


def balanced(labels: Sequence[Label], seed: int = 0) -> list[Label]:
    """As many of the labels as can be kept, in their order. Labels of equally long answers all stay."""
    longer = [at for at, label in enumerate(labels) if label.longer_by > 0]
    shorter = [at for at, label in enumerate(labels) if label.longer_by < 0]
    few, many = sorted((longer, shorter), key=len)
    free = sorted((abs(labels[at].longer_by), at) for at in many)
    couples: list[tuple[float, int, int]] = []
    for at in sorted(few, key=lambda at: keyed(str(seed), at)):
        size = abs(labels[at].longer_by)
        place = bisect_left(free, (size, -1))
        near = min(free[max(0, place - 1) : place + 1], key=lambda other: abs(other[0] - size), default=None)
        if near is not None and abs(near[0] - size) <= CLOSE:
            free.remove(near)
            couples.append((labels[at].longer_by + labels[near[1]].longer_by, at, near[1]))
    kept = {at for _, one, other in _without_lean(couples, labels) for at in (one, other)}
    return [label for at, label in enumerate(labels) if at in kept or label.longer_by == 0]


def _without_lean(couples: list[tuple[float, int, int]], labels: Sequence[Sized]) -> list[tuple[float, int, int]]:
    """The couples without those that lean most to one side, until what is left leans to neither by 1 %."""
    left = sorted(couples)
    rest = sum(couple[0] for couple in left)
    whole = sum(abs(labels[at].longer_by) for couple in left for at in couple[1:])
    while left and abs(rest) > 0.01 * whole:
        dropped = left.pop(-1 if rest > 0 else 0)
        rest -= dropped[0]
        whole -= sum(abs(labels[at].longer_by) for at in dropped[1:])
    return left
