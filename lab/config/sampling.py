"""How a model's next token is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from lab.config.base import Config


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Config):
    """How the next token is chosen from the model's probabilities, and when to end."""

    temperature: float = 0.8
    """0 always takes the most probable token; 1 samples the model's own distribution; higher is more surprising."""
    top_k: int = 0
    """Keep only the k most probable tokens. 0 keeps all."""
    top_p: float = 1.0
    """Keep the smallest set of tokens whose probabilities add up to p. 1 keeps all."""
    min_p: float = 0.0
    """Drop tokens less probable than this share of the most probable one. 0 drops none."""
    max_new_tokens: int = 128
    """Stop after this many tokens."""
    seed: int = 0
    """The same seed, prompt and model give the same text again."""
    stop: tuple[str, ...] = ()
    """Stop when one of these texts has been written."""

    def __post_init__(self) -> None:
        self._require(self.temperature >= 0, "temperature", "it must be 0 or more.")
        self._require(self.top_k >= 0, "top_k", "it must be 0 (keep all) or more.")
        self._require(0 < self.top_p <= 1, "top_p", "it must be above 0 and at most 1.")
        self._require(0 <= self.min_p < 1, "min_p", "it must be at least 0 and below 1.")
        self._require(self.max_new_tokens >= 1, "max_new_tokens", "it must be at least 1.")
