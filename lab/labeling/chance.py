"""The choices that must look random to a person and be the same again to us: keyed hashes.

A side that follows from a secret of the project and from who sees what for the which time can be stored, checked and
repeated, and nobody who looks at the page can guess it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")

BLOCK = 4
"""Showings in a row of which exactly half have either model on the left."""


def keyed(secret: str, *what: object) -> int:
    """A number of 64 bits that looks random to whoever lacks the secret."""
    text = "\x1f".join(map(str, what)).encode()
    return int.from_bytes(hmac.digest(secret.encode(), text, hashlib.sha256)[:8], "big")


def coin(secret: str, *what: object) -> float:
    """A number in 0…1, uniform."""
    return keyed(secret, *what) / 2**64


def name(secret: str, *what: object) -> str:
    """A name of 16 letters and digits."""
    return f"{keyed(secret, 'name', *what):016x}"


def shuffled(things: Sequence[Thing], secret: str, *what: object) -> list[Thing]:
    """The things in an order that follows from the key."""
    return [thing for _, thing in sorted((keyed(secret, *what, at), thing) for at, thing in _numbered(things))]


def _numbered(things: Sequence[Thing]) -> list[tuple[int, Thing]]:
    return list(enumerate(things))


def first_goes_left(secret: str, annotator: str, models: tuple[str, str], count: int) -> bool:
    """Whether the first of two models stands on the left, the `count`-th time (from 0) that this person gets the two:
    in every block of four exactly twice, so that a preference for a side shows early."""
    block, place = divmod(count, BLOCK)
    order = shuffled(range(BLOCK), secret, "side", annotator, *models, block)
    return order[place] < BLOCK // 2
