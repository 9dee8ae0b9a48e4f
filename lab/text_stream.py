"""From token ids to the text that a person reads: whole characters only, and nothing of a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lab.generate import Step
from lab.tokenizer import Tokenizer


@dataclass
class TextToken:
    """One token of a text: the texts of all tokens joined are the text. A token that is only a part of a character has
    an empty text; the character stands with the token that completes it."""

    step: Step
    text: str


class TextStream:
    """The text of one row while it is written. Parts of a character, and what may become a stop text, are held back."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str], silent: Collection[int]) -> None:
        """`silent`: tokens without a text of their own, such as the one that ends a reply."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = [text for text in stop if text]
        self._silent = silent
        self._settled: list[TextToken] = []
        self._held: list[TextToken] = []

    def add(self, step: Step) -> bool:
        """Take in the next token; True when a stop text is complete with it. Nothing may be added after that."""
        known = step.id not in self._silent and step.id < self._tokenizer.vocab_size
        piece = self._tokenizer.token_bytes(step.id) if known else b""
        self._held.append(TextToken(step, self._decoder.decode(piece)))
        text = "".join(token.text for token in self._held)
        found = [place for place in (text.find(stop) for stop in self._stop) if place >= 0]
        if found:
            self._cut(min(found))
            self._decoder.reset()
        elif not self._unfinished(text):
            self._settle()
        return bool(found)

    def take(self, last: bool = False) -> list[TextToken]:
        """The tokens settled since this was asked last; with `last`, nothing more comes and nothing is held back."""
        if last:
            if rest := self._decoder.decode(b"", True):
                self._held[-1].text += rest
            self._settle()
        settled, self._settled = self._settled, []
        return settled

    def _unfinished(self, text: str) -> bool:
        """Whether the held text ends within a character, or with what may be the beginning of a stop text."""
        within_character = bool(self._decoder.getstate()[0])
        return within_character or any(text.endswith(stop[:n]) for stop in self._stop for n in range(1, len(stop)))

    def _settle(self) -> None:
        self._settled += self._held
        self._held = []

    def _cut(self, place: int) -> None:
        """Settle the held tokens up to where the stop text begins, and drop the rest."""
        held, self._held = self._held, []
        for token in held:
            if place <= 0:
                break
            token.text = token.text[:place]
            place -= len(token.text)
            self._settled.append(token)
