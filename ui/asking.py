"""What one browser page is asking several models: the comparison so far, and whether it is still wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.comparison import Answer, AnswerToken, Comparison, Question, ask, measure_shift
from lab.errors import LabError
from ui.drafts import OVERLAP, Draft
from ui.widgets import State, Value, comparison_value, question_data, stream_data

if TYPE_CHECKING:
    from lab.inference import GeneratedToken, Inference

FLUSH = 0.04
"""Seconds between two updates of the page while models write."""


@dataclass
class Asking:
    """Kept in a `gr.State`, like `Draft`: one comparison at a time for each page."""

    done: Comparison | None = None
    """The comparison on the page, with the questions answered so far."""
    asking: bool = False
    _turn: int = 0
    _stopped: bool = False

    def begin(self, comparison: Comparison) -> int:
        """Start a comparison, which ends whatever was being asked; gives its turn."""
        self._turn += 1
        self.done, self.asking, self._stopped = comparison, True, False
        return self._turn

    def stop(self) -> None:
        """Nobody wants more of it."""
        self._stopped = True

    def wanted(self, turn: int) -> bool:
        """Whether the comparison of this turn should go on."""
        return turn == self._turn and not self._stopped

    def current(self, turn: int) -> bool:
        """Whether the comparison of this turn is still the one on the page."""
        return turn == self._turn

    def end(self, turn: int) -> None:
        """The comparison of this turn is done."""
        if self.current(turn):
            self.asking = False


def ask_all(
    page: Asking, inference: Inference, begun: Comparison, prompts: Sequence[str], colours: dict[str, int]
) -> Iterator[Value]:
    """Ask the models of `begun` every prompt: one prompt after the other, all models at once; after each, look at the
    shift from the first model to the last. Yields the values of a `comparison_view`; what was answered is `page.done`.
    """
    turn = page.begin(begun)
    models = [(name, colours.get(reference, 0)) for reference, name in begun.models]
    comparison = begun
    try:
        for number, prompt in enumerate(prompts):
            panes = [
                _Pane(reference, f"{begun.id}-{number}-{place}") for place, (reference, _) in enumerate(begun.models)
            ]
            progress = f"Prompt {number + 1} of {len(prompts)}" if len(prompts) > 1 else ""
            for shown in _answers(page, turn, inference, comparison, prompt, panes):
                yield comparison_value(begun.id, models, {number: {"prompt": prompt, "panes": shown}}, progress)
            if not page.current(turn):
                return
            question = Question(prompt, tuple(pane.answer for pane in panes))
            question, note = _with_shift(inference, comparison, question, page.wanted(turn))
            page.done = comparison = comparison.with_question(question)
            data = question_data(comparison, number, begun.id, [pane.draft.note(pane.finish) for pane in panes])
            yield comparison_value(begun.id, models, {number: data | {"shiftNote": note}})
            if not page.wanted(turn):
                return
    finally:
        page.end(turn)


class _Pane:
    """The answer of one model while it grows."""

    def __init__(self, model: str, key: str) -> None:
        self.draft = Draft()
        self._turn = self.draft.begin(model, "")
        self.finish = "stopped"
        self._key = key
        self._sent = 0

    @property
    def answer(self) -> Answer:
        return Answer(self.draft.model, tuple(AnswerToken.of(token) for token in self.draft.tokens), self.finish)

    def add(self, tokens: list[GeneratedToken], finish: str) -> None:
        """More of the answer has come, or its end."""
        if tokens:
            self.draft.add(tokens)
        if finish:
            self.finish = finish
            self.draft.end(self._turn)

    def fresh(self) -> dict[str, Any]:
        """What is new since the last call, for the page."""
        start = max(0, self._sent - OVERLAP)
        tokens = self.draft.tokens
        state: State = "running" if tokens else "waiting"
        self._sent = len(tokens)
        note = self.draft.note() if tokens else ""
        return stream_data(self._key, "", tokens[start:], start=start, state=state, note=note)


def _answers(
    page: Asking, turn: int, inference: Inference, comparison: Comparison, prompt: str, panes: list[_Pane]
) -> Iterator[dict[str, Any]]:
    """Have all models answer one prompt; yields what is new in each pane."""
    yield {str(place): pane.fresh() for place, pane in enumerate(panes)}
    models = [pane.draft.model for pane in panes]
    changed: set[int] = set()
    flushed = time.monotonic()
    with closing(ask(inference, models, prompt, comparison.sampling, chat=comparison.chat)) as asked:
        for place, batch, finish in asked:
            if not page.wanted(turn):
                return
            panes[place].add(batch, finish)
            changed.add(place)
            if time.monotonic() - flushed >= FLUSH:
                yield {str(place): panes[place].fresh() for place in changed}
                changed, flushed = set(), time.monotonic()


def _with_shift(inference: Inference, comparison: Comparison, question: Question, wanted: bool) -> tuple[Question, str]:
    """The question with the shift of its last answer, from the first model to the last; or a sentence why not."""
    base, tuned = question.answers[0].model, question.answers[-1].model
    reply = question.answers[-1].text
    if not wanted or base == tuned:
        return question, ""
    if not reply and not comparison.chat:
        return question, f"{comparison.name(tuned)} wrote nothing, so there is no text to compare on."
    try:
        shift = measure_shift(inference, base, tuned, question.prompt, reply, chat=comparison.chat)
    except LabError as error:
        return question, str(error)
    return Question(question.prompt, question.answers, shift), ""
