"""Several models on the same prompts side by side, and what training made more and less likely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from lab.comparison import SAME, Comparison, Question, Shift
from ui.widgets.base import Value, packed, widget
from ui.widgets.stream import ending, stream_data

LARGEST = 6
"""Tokens listed in each of "more likely" and "less likely"."""
_LIMITS = (0.5, 1, 2, 3, 5, 8)


def comparison_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """Answers side by side. Value: `comparison_value`; what a value leaves out stays as it is."""
    return widget("comparison", value, label=label, elem_id=elem_id, **options)


def comparison_value(
    key: str, models: Sequence[tuple[str, int]], questions: Mapping[int, Mapping[str, Any]], progress: str = ""
) -> Value:
    """The value of a `comparison_view`.

    Args:
        key: names this comparison; another key starts the view anew.
        models: name and number of the colour of each model.
        questions: by number: `prompt`, `panes` (by number of the model, each `stream_data`), and perhaps `shift`
            (`shift_data`) or `shiftNote`, a sentence in its place.
        progress: a line under all of it.
    """
    return packed(
        {
            "key": key,
            "models": [{"name": name, "colour": colour} for name, colour in models],
            "progress": progress,
            "questions": {str(number): question for number, question in questions.items()},
        }
    )


def whole_comparison(comparison: Comparison, key: str, colours: Mapping[str, int]) -> Value:
    """The value that shows a finished comparison."""
    models = [(name, colours.get(reference, 0)) for reference, name in comparison.models]
    questions = {number: question_data(comparison, number, key) for number in range(len(comparison.questions))}
    return comparison_value(key, models, questions)


def question_data(comparison: Comparison, number: int, key: str, notes: Sequence[str] | None = None) -> dict[str, Any]:
    """One finished question of a comparison, with a note under each answer (why it ended, unless `notes` are given)."""
    question: Question = comparison.questions[number]
    notes = notes or [f"{len(a.tokens):,} tokens; {ending(a.finish, len(a.tokens))}" for a in question.answers]
    panes = {
        str(place): stream_data(f"{key}-{number}-{place}", "", answer.tokens, note=note)
        for place, (answer, note) in enumerate(zip(question.answers, notes, strict=True))
    }
    shift = question.shift
    shown = shift_data(shift, comparison.name(shift.base), comparison.name(shift.tuned)) if shift else None
    return {"prompt": question.prompt, "panes": panes, "shift": shown}


def shift_data(shift: Shift, base: str, tuned: str) -> dict[str, Any]:
    """A shift between models of these names, as the page draws it."""
    order = sorted(range(len(shift.tokens)), key=lambda index: shift.tokens[index].shift)
    return {
        "title": f"What training changed about {tuned}’s answer",
        "names": [base, tuned],
        "limit": colour_limit([token.shift for token in shift.tokens]),
        "tokens": [[token.id, token.text, round(token.base, 5), round(token.tuned, 5)] for token in shift.tokens],
        "sentence": shift.sentence(base, tuned),
        "raised": [index for index in reversed(order) if shift.tokens[index].shift > SAME][:LARGEST],
        "lowered": [index for index in order if shift.tokens[index].shift < -SAME][:LARGEST],
    }


def colour_limit(shifts: Sequence[float]) -> float:
    """The shift that gets the full colour: a round number that nine in ten stay within."""
    sizes = sorted(abs(shift) for shift in shifts if math.isfinite(shift))
    large = sizes[math.ceil(0.9 * len(sizes)) - 1] if sizes else 0
    return next((limit for limit in _LIMITS if limit >= large), _LIMITS[-1])
