"""What a vote and a name have to be."""

from __future__ import annotations

from typing import cast

from lab.errors import DataError
from lab.labeling.project import CHOICES, FLAGS, Choice, ProjectAbout, Remarks

SIDES = ("left", "right", "tie")
LONGEST_NAME, LONGEST_TEXT = 40, 2000


def person_name(name: str) -> str:
    """A person's name as it is kept. Raises `DataError` for one that is empty or too long."""
    kept = " ".join(str(name).split())
    if not 0 < len(kept) <= LONGEST_NAME:
        raise DataError(f"A name has 1 to {LONGEST_NAME} characters.")
    return kept


def check_vote(choice: str, said: Remarks, answers: int, about: ProjectAbout) -> Choice:
    """The choice, once it is sure that this can be a vote. Raises `DataError` when it cannot."""
    if choice not in CHOICES:
        raise DataError(f"{choice!r} is not a choice; it is one of {', '.join(CHOICES)}.")
    if choice == "ranking" and (len(said.ranks) != answers or min(said.ranks) < 1):
        raise DataError(f"A ranking gives each of the {answers} answers a place, from 1.")
    if choice in SIDES and answers > 2:
        raise DataError(f"{answers} answers are ranked; left, right and tie are for two.")
    if said.strength not in (1, 2):
        raise DataError("The strength of a vote is 1, or 2 for much better.")
    if said.flag and said.flag not in FLAGS:
        raise DataError(f"{said.flag!r} is not a flag; it is one of {', '.join(FLAGS)}.")
    if unknown := set(said.attributes) - set(about.config.attributes):
        raise DataError(f"This project has no attribute {', '.join(sorted(unknown))}.")
    if wrong := set(said.attributes.values()) - set(SIDES):
        raise DataError(f"An attribute is compared as {', '.join(SIDES)}, not {', '.join(sorted(map(str, wrong)))}.")
    if len(said.reason) > LONGEST_TEXT or len(said.skip_reason) > LONGEST_TEXT:
        raise DataError(f"A reason has at most {LONGEST_TEXT:,} characters.")
    return cast(Choice, choice)
