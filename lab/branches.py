"""What was written from a prompt and its alternatives, as a tree: each text hangs on the one it shares most with."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from lab.errors import LabError
from lab.outcomes import first_difference


class Written(NamedTuple):
    """A token of a branch."""

    id: int
    text: str
    logprob: float
    top: list[tuple[int, str, float]]


@dataclass(frozen=True)
class Branch:
    """One text. `parent` is the number of the branch it leaves after `shared` tokens; None for a root."""

    number: int
    name: str
    model: str
    prompt: str
    tokens: tuple[Written, ...]
    parent: int | None
    shared: int

    @property
    def bits(self) -> float:
        """Bits per token that the text cost the model."""
        return -sum(token.logprob for token in self.tokens) / math.log(2) / max(1, len(self.tokens))


@dataclass(frozen=True)
class Branches:
    """The branches of a page, in the order in which they came."""

    kept: tuple[Branch, ...] = ()

    def add(self, model: str, prompt: str, tokens: Sequence[Any]) -> Branches:
        """With one more text; the same text again changes nothing, a longer one replaces what it goes on from."""
        written = tuple(Written(token.id, token.text, token.logprob, list(token.top)) for token in tokens)
        if not written:
            return self
        ids = [token.id for token in written]
        parent, shared = None, 0
        for branch in self.kept:
            if (branch.model, branch.prompt) != (model, prompt):
                continue
            common = first_difference(ids, [token.id for token in branch.tokens])
            if common == len(ids):
                return self
            if common == len(branch.tokens):
                longer = replace(branch, tokens=written)
                return Branches(tuple(longer if each is branch else each for each in self.kept))
            if parent is None or common > shared:
                parent, shared = branch.number, common
        number = max((branch.number for branch in self.kept), default=0) + 1
        return Branches((*self.kept, Branch(number, f"branch {number}", model, prompt, written, parent, shared)))

    def get(self, number: int) -> Branch:
        """A branch by its number. Raises `LabError`."""
        for branch in self.kept:
            if branch.number == number:
                return branch
        raise LabError(f"There is no branch {number} any more.")

    def named(self, number: int, name: str) -> Branches:
        """With another name for a branch."""
        renamed = (
            replace(each, name=name.strip() or each.name) if each.number == number else each for each in self.kept
        )
        return Branches(tuple(renamed))

    def in_order(self) -> list[tuple[int, Branch]]:
        """(depth, branch), every branch after the one it hangs on."""

        def below(parent: int | None, depth: int) -> list[tuple[int, Branch]]:
            rows: list[tuple[int, Branch]] = []
            for branch in self.kept:
                if branch.parent == parent:
                    rows += [(depth, branch), *below(branch.number, depth + 1)]
            return rows

        return below(None, 0)

    def to_json(self) -> str:
        """All of it as JSON, for a file."""
        rows = [
            {
                "name": branch.name,
                "model": branch.model,
                "prompt": branch.prompt,
                "text": "".join(token.text for token in branch.tokens),
                "leaves": None if branch.parent is None else self.get(branch.parent).name,
                "after_tokens": branch.shared,
                "tokens": [{"id": t.id, "text": t.text, "logprob": t.logprob} for t in branch.tokens],
            }
            for branch in self.kept
        ]
        return json.dumps({"branches": rows}, ensure_ascii=False, indent=1)
