"""Start: the map of the story, one button that walks through it, and the runs made so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.run_panel import WORDS, title
from ui.widgets.base import Value, packed, widget
from ui.words import ago, percent

if TYPE_CHECKING:
    from lab.runs import Run
    from lab.workspace import Workspace
    from ui.page import Page

RECENT = 5
"""Runs shown."""
POINTS = 80
"""Points of the small curve beside each run."""

MAP = {
    "data": ("Text", "It begins with pages from the web, and with what is thrown away of them."),
    "tokens": ("Tokens", "A model reads numbered pieces of text, not letters or words."),
    "pretrain": ("Pretraining", "From noise to pages: it learns to guess the next piece of a text."),
    "completion": ("Base", "A base model has read a lot. It guesses the next piece, again and again."),
    "sft": ("SFT", "Example conversations nudge those guesses towards answering."),
    "labeling": ("Preferences", "Two answers side by side: people say which one is better."),
    "reward_model": ("Reward model", "A model learns from those votes what people would prefer."),
    "rl": ("RL", "It tries many answers, and does more of what was rewarded."),
    "compare": ("Compare", "The same question to both: what became likelier, and what less."),
}
"""Stops of the map: name and one sentence. A stop is shown once its tab exists."""

TOUR = (
    ("completion", "This base model goes on writing from any text. It has never seen a question answered.", "Continue"),
    (
        "sft",
        "Now teach it: these conversations show it how to answer. It takes a minute or two.",
        "Start training",
    ),
    ("sft", "The loss falls as its guesses move. Below the curves: what it answers at each look.", ""),
    ("compare", "Ask both the same question. Blue became less likely, orange more.", "Ask both"),
)
"""What "Show me" walks through: a tab, a sentence, and the name of what the button there does ("" for nothing)."""


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("From raw text to assistant, one nudge at a time.")
    stops = [{"tab": tab, "name": name, "text": text} for tab, (name, text) in MAP.items() if tab in page.tabs]
    widget("map", packed({"stops": stops}), label="The map", elem_id="start-map", elem_classes="scene")
    with gr.Row(elem_classes=["start-actions"]):
        show_me = gr.Button("Show me", variant="primary", elem_id="start-show", scale=0, min_width=160)
    tour = [{"tab": tab, "text": text, "button": button} for tab, text, button in TOUR if tab in page.tabs]
    show_me.click(None, None, None, js=f"() => nudge.tour({_literal(tour)})")
    recent = widget("recent", label="Recent runs", elem_id="start-recent", elem_classes="scene")
    page.on_load(lambda: recent_value(page), None, recent)
    page.on_open("start", lambda: recent_value(page), None, recent)


def _literal(value: Any) -> str:
    """JSON as JavaScript; our own words only."""
    import json

    return json.dumps(value)


def recent_value(page: Page) -> Value:
    """The newest runs, each with its small curve."""
    runs = sorted(page.workspace.runs.list(), key=lambda run: run.created, reverse=True)
    return packed({"runs": [_recent(page, run) for run in runs[:RECENT]], "more": max(0, len(runs) - RECENT)})


def _recent(page: Page, run: Run) -> dict[str, Any]:
    _, values = page.workspace.history.series(run.id, "loss/train", max_points=POINTS)
    status = run.status
    active = percent(run.step, run.total_steps) if status in ("running", "paused") else ""
    return {
        "id": run.id,
        "tab": run.algorithm if run.algorithm in page.tabs else "history",
        "name": title(run),
        "word": " ".join(filter(None, [WORDS.get(status, status), active])),
        "ago": ago(run.created),
        "colour": page.colour(run.model),
        "curve": [float(f"{value:.4g}") for value in values if math.isfinite(value)],
    }
