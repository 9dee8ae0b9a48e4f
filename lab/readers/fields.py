"""The names that columns have in the wild, and the looking up of a column under any of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TURNS = ("messages", "conversations", "conversation", "dialog", "dialogue", "chat", "turns", "history", "items")
INSTRUCTION = ("instruction", "instructions")
PROMPT = (
    *("prompt", "question", "query", "user", "human", "input", "problem", "request", "user_message", "inputs"),
    *("user_prompt", "prompt_text", "source", "instruction"),
)
REPLY = (
    *("completion", "response", "output", "answer", "reply", "assistant", "value", "target", "gpt", "bot", "solution"),
    *("assistant_message", "model_response", "completions", "outputs", "targets", "generation", "ai"),
)
SYSTEM = ("system", "system_prompt", "system_message")
CHOSEN, REJECTED = ("chosen", "preferred", "winner_response"), ("rejected", "dispreferred", "loser_response")
SIDES = (
    ("response_a", "response_b"),
    ("response_1", "response_2"),
    ("response_0", "response_1"),
    ("answer_a", "answer_b"),
    ("answer_1", "answer_2"),
    ("output_a", "output_b"),
    ("output_1", "output_2"),
    ("completion_a", "completion_b"),
    ("completion_1", "completion_2"),
    ("conversation_a", "conversation_b"),
)
"""Two replies of which another column says which is better."""
VERDICT = (
    *("winner", "verdict", "preference", "preferred", "better", "better_response_id", "choice", "vote", "label"),
    *("preferred_side", "human_preference", "judgment", "judgement"),
)
QUESTION = ("question", "problem", "query", "prompt", "task", "input")
CONTEXT = ("body", "context", "passage")
ANSWER = ("answer", "final_answer", "target", "solution", "expected_answer", "gold", "label", "output", "response")
TEXT = ("text", "content", "document", "body", "raw_content", "page", "article", "passage")
MEDIA = ("images", "image", "videos", "video", "audios", "audio", "pixel_values", "input_features")

KNOWN = frozenset(
    {*TURNS, *INSTRUCTION, *PROMPT, *REPLY, *SYSTEM, *CHOSEN, *REJECTED, *VERDICT, *ANSWER, *TEXT, "response_j"}
    | {side for sides in SIDES for side in sides}
) | {"category", "response_k", "id"}


def normal(name: Any) -> str:
    """A column's name in one form: lower case, words joined by underscores."""
    return re.sub(r"[\s\-.]+", "_", str(name).strip("\ufeff \t\r\n").lower())


class Fields:
    """A row with its columns by normal name. Columns that are null count as missing."""

    def __init__(self, row: Mapping[Any, Any]) -> None:
        self.values = {normal(name): value for name, value in row.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> Any:
        """The value of one column, or None."""
        return self.values.get(name)

    def first(self, names: tuple[str, ...]) -> str | None:
        """The first of `names` that the row has."""
        return next((name for name in names if name in self.values), None)

    def value(self, names: tuple[str, ...]) -> Any:
        """The value of the first of `names` that the row has, or None."""
        name = self.first(names)
        return None if name is None else self.values[name]
