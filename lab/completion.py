"""What models say, as the app shows it: tokens with their probabilities, completions, scored texts.

Log-probabilities are natural logarithms of the raw distribution (temperature 1, nothing filtered); `top` holds its most
probable tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from lab import notebook

Alternative = tuple[int, str, float]
"""A token that could stand at a place: its id, text and log-probability."""


def alternatives(rows: Iterable[list[Any]]) -> list[Alternative]:
    """Alternatives from JSON."""
    return [(id, text, logprob) for id, text, logprob in rows]


@dataclass(frozen=True)
class PromptToken:
    """A token that the model reads."""

    id: int
    text: str
    bytes: bytes
    special: bool = field(default=False, kw_only=True)
    """A control token, such as the one that ends a reply. `bytes` is its name; one that a model wrote has no text."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The token as the model process sends it."""
        changed: dict[str, Any] = {"bytes": bytes.fromhex(values["bytes"])}
        if "top" in values:
            changed["top"] = alternatives(values["top"])
        return cls(**values | changed)


@dataclass(frozen=True)
class GeneratedToken(PromptToken):
    """A token that the model wrote. The texts of a completion's tokens joined are its text."""

    logprob: float
    coin: float
    """The uniform number that picked it from the model's probabilities (unused at temperature 0)."""
    top: list[Alternative]


@dataclass(frozen=True)
class Completion:
    """What a model wrote."""

    text: str
    tokens: list[GeneratedToken]
    model: str
    finish: str
    """Why it ended: "end" (the model ended it), "length", "stop" (a stop text), "context" (window full), "stopped"."""
    prompt_tokens: int

    @classmethod
    def of(cls, tokens: list[GeneratedToken], model: str, finish: str, prompt_tokens: int) -> Self:
        """The completion that these tokens make up."""
        return cls("".join(token.text for token in tokens), tokens, model, finish, prompt_tokens)

    @classmethod
    def from_json(cls, values: dict[str, Any], model: str) -> Self:
        """The completion as the model process sends it."""
        tokens = [GeneratedToken.from_json(token) for token in values["tokens"]]
        return cls.of(tokens, model, values["finish"], len(values["prompt_ids"]))

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        note = f"{self.model}, {len(self.tokens)} tokens, ended by: {self.finish}"
        return notebook.written(((token.text, token.logprob) for token in self.tokens), note)


@dataclass(frozen=True)
class ScoredToken(PromptToken):
    """A token of a given text, and what the model says of it after what stands before it."""

    logprob: float | None
    """None only for a first token that nothing precedes."""
    entropy: float | None
    """Of the model's distribution at this place, in nats."""
    top: list[Alternative]


@dataclass(frozen=True)
class Scored:
    """A given text through the eyes of a model."""

    tokens: list[ScoredToken]
    bytes: int
    """Size of what is scored, in UTF-8."""
    model: str

    @classmethod
    def from_json(cls, values: dict[str, Any], model: str) -> Self:
        """The scored text as the model process sends it."""
        return cls([ScoredToken.from_json(token) for token in values["tokens"]], values["bytes"], model)

    @property
    def logprob(self) -> float:
        """log p of the whole text, in nats."""
        return math.fsum(token.logprob for token in self.tokens if token.logprob is not None)

    @property
    def bits_per_byte(self) -> float:
        """Bits that the model needs per byte of the text; comparable between tokenizers."""
        return -self.logprob / math.log(2) / max(1, self.bytes)


@dataclass(frozen=True)
class Compressed:
    """A file compressed with a model. Sizes in bytes."""

    file: bytes
    """What `Inference.decompress` turns back."""
    size: int
    """Before."""
    tokens: int
    bits: int | None
    """Of the arithmetic code alone, shown as it is even where the file is stored; None when the model's tokens cannot
    write every byte."""
    ideal_bits: float
    """Σ −log2 p of the tokens."""
    model_bytes: int
    """What the weights of the model take: whoever has to send the model along has to add them."""
    model: str

    @property
    def stored(self) -> bool:
        """Whether the file holds the data as they are, because the model's code would not have been shorter."""
        return self.file[4:5] == b"\0"


@dataclass(frozen=True)
class TokenRewards:
    """A conversation through the eyes of a reward model: its reward, and the tokens of its last reply."""

    reward: float
    tokens: list[tuple[str, float]]
    """Text of each token, and its effect: the reward less what it is without that token."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The rewards as the model process sends them."""
        return cls(values["reward"], [(token["text"], token["effect"]) for token in values["tokens"]])
