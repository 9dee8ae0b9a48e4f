"""What one browser page is writing: the text so far, and whether it is still wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.config import SamplingConfig
from lab.errors import LabError
from ui.widgets import Value, ending, stream_value

if TYPE_CHECKING:
    from lab.inference import Inference


class Chosen(NamedTuple):
    """A token that a person chose instead of the one that was drawn."""

    id: int
    text: str
    logprob: float
    top: list[tuple[int, str, float]]


@dataclass
class Draft:
    """Kept in a `gr.State`, so that every event of a page sees the same one: the event that writes looks whether it is
    still wanted, the one that stops says that it is not. Holds only plain values, since Gradio copies it for each page.
    """

    model: str = ""
    prompt: str = ""
    tokens: list[Any] = field(default_factory=list)
    key: str = ""
    """Names the text; another text has another key."""
    writing: bool = False
    _turn: int = 0
    _stopped: bool = False
    _begun: float = 0.0
    _first: float = 0.0
    _ended: float = 0.0
    _kept: int = 0
    _first_batch: int = 0

    def begin(self, model: str, prompt: str, kept: list[Any] | None = None) -> int:
        """Start a text (with `kept` tokens already there), which ends whatever was being written; gives its turn."""
        self._turn += 1
        self._stopped, self.writing = False, True
        self._begun, self._first, self._ended = time.monotonic(), 0.0, 0.0
        self.model, self.prompt, self.tokens = model, prompt, list(kept or [])
        self._kept = len(self.tokens)
        self.key = f"{id(self):x}-{self._turn}"
        return self._turn

    def add(self, tokens: list[Any]) -> None:
        """More of the text has come."""
        if not self._first:
            self._first, self._first_batch = time.monotonic(), len(tokens)
        self.tokens.extend(tokens)

    def stop(self) -> None:
        """Nobody wants more of it."""
        self._stopped = True

    def end(self, turn: int) -> None:
        """The text of this turn is done."""
        if self.current(turn):
            self.writing, self._ended = False, time.monotonic()

    def wanted(self, turn: int) -> bool:
        """Whether the text of this turn should go on."""
        return turn == self._turn and not self._stopped

    def current(self, turn: int) -> bool:
        """Whether the text of this turn is still the one on the page."""
        return turn == self._turn

    def with_choice(self, position: int, token: int) -> list[Any]:
        """The tokens before `position`, and in its place the alternative `token`.

        Raises `LabError` when that was not among the alternatives shown there.
        """
        if not 0 <= position < len(self.tokens):
            raise LabError("That token is not on the page any more. Choose again.")
        there = self.tokens[position]
        for id, text, logprob in [*there.top, (there.id, there.text, there.logprob)]:
            if id == token:
                return [*self.tokens[:position], Chosen(id, text, logprob, list(there.top))]
        raise LabError("That token is not one of the alternatives at this place. Choose again.")

    def note(self, finish: str = "") -> str:
        """What to say under the text: how many tokens, how fast, and why it ended."""
        now, new = self._ended or time.monotonic(), len(self.tokens) - self._kept
        waited, since_first = (self._first or now) - self._begun, now - (self._first or now)
        said = f"{new:,} token{'' if new == 1 else 's'} in {since_first:.1f} s"
        if new > self._first_batch and since_first > 0.02:
            said += f", {(new - self._first_batch) / since_first:.0f} tokens/s"
        if waited > 1:
            said += f", the first after {waited:.1f} s"
        if finish:
            said += f"; {ending(finish, new)}"
        return said


WRITING: Any = {"concurrency_id": "writing", "concurrency_limit": 8, "show_progress": "hidden"}
"""For events that write with a model."""
OVERLAP = 16
"""Tokens sent again with every batch, so that a page that missed one has no gap."""


def write(
    draft: Draft, inference: Inference, model: str, prompt: str, sampling: SamplingConfig, kept: list[Any] | None = None
) -> Iterator[Value]:
    """Write on from `prompt` (and the `kept` tokens after it) into `draft`; yields the values of a `stream_view`.

    Ends when the model does, when `draft.stop()` is called, or when another text is begun; the model is told at once.
    """
    turn = draft.begin(model, prompt, kept)
    yield stream_value(draft.key, prompt, draft.tokens, state="waiting")
    sent = len(draft.tokens)
    ids = [token.id for token in draft.tokens]
    try:
        with closing(inference.stream(model, prompt, sampling, top=8, continued=ids)) as stream:
            for batch in stream:
                if not draft.wanted(turn):
                    break
                draft.add(batch)
                start = max(0, sent - OVERLAP)
                shown = draft.tokens[start:]
                yield stream_value(draft.key, prompt, shown, start=start, state="running", note=draft.note())
                sent = len(draft.tokens)
    except LabError:
        yield stream_value(draft.key, prompt, draft.tokens)
        raise
    finally:
        draft.end(turn)
    if draft.current(turn):
        finish = stream.finish_reason if draft.wanted(turn) else "stopped"
        yield stream_value(draft.key, prompt, draft.tokens, note=draft.note(finish))
