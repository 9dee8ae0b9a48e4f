"""A preference pair: two replies to one conversation, one of them better. Reward models and DPO learn from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lab.conversation import Conversation, Message, content_key
from lab.errors import DataError


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """`chosen` is the better reply to `prompt`, `rejected` the worse one. `row` is the row of the file.

    `margin` says by how much it is better, where that is known (in units of reward); with `tie` the two are equally
    good and their order means nothing.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    row: int | None = field(default=None, compare=False)
    margin: float = 0.0
    tie: bool = False

    def to_json(self) -> dict[str, Any]:
        """The pair as JSON values: `{"prompt": [messages], "chosen": text, "rejected": text}`."""
        values: dict[str, Any] = {
            "prompt": [message.to_json() for message in self.prompt],
            "chosen": self.chosen,
            "rejected": self.rejected,
        }
        values |= {"margin": self.margin} if self.margin else {}
        values |= {"tie": True} if self.tie else {}
        return values | ({} if self.row is None else {"row": self.row})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The pair from `to_json()`'s values. Raises `DataError` when they are not one."""
        try:
            prompt = tuple(map(Message.from_json, values["prompt"]))
            chosen, rejected = values["chosen"], values["rejected"]
        except (KeyError, TypeError) as error:
            raise DataError("A preference pair needs `prompt`, `chosen` and `rejected`.") from error
        if not isinstance(chosen, str) or not isinstance(rejected, str):
            raise DataError("`chosen` and `rejected` of a preference pair must be text.")
        return cls(
            prompt, chosen, rejected, values.get("row"), float(values.get("margin", 0.0)), bool(values.get("tie"))
        )

    def with_reply(self, reply: str) -> Conversation:
        """The conversation with one of the two replies at its end."""
        return Conversation((*self.prompt, Message("assistant", reply)), row=self.row)

    def key(self) -> str:
        """A hash of prompt and replies, the same wherever the pair stands."""
        return content_key([[message.to_json() for message in self.prompt], self.chosen, self.rejected])
