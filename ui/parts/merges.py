"""Byte-pair encoding on one's own text: training live, and any BPE tokenizer's merges at work on a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from lab.merging import Merge, MergeTable, MergeTraining
from lab.tokenizer import Tokenizer
from ui.parts.opening import while_open
from ui.widgets import Value
from ui.widgets.merges import SAMPLE_BYTES, training_value, training_view, tree_value, tree_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ui.page import Page

TEXT = (
    "The river runs through the old town. In the morning the river is low, and lower still in the summer. "
    "The newest houses stand near the river; the oldest houses stand near the tower. "
    "The child walks to the river, the mother walks to the market, and the father walks to the tower. "
)
MOST_CHARACTERS = 5_000_000
SHOW_SECONDS = 0.4
MOST_WORDS = 12


class TrainingPart:
    """The accordion in which a tokenizer is trained. `trained` is called with each finished one."""

    def __init__(self, page: Page, text: gr.Textbox, trained: Callable[[MergeTraining], Any]) -> None:
        self._trained = trained
        with gr.Accordion("Train a tokenizer on a text", open=False, elem_id="merging-part"):
            with gr.Row(elem_classes="line-of-buttons"):
                source = gr.Radio(
                    ["the example", "the text of this page", "a file"],
                    value="the example",
                    label="Learn from",
                    elem_id="merging-source",
                )
                number = gr.Number(200, precision=0, label="Merges", elem_id="merging-number", scale=0, min_width=110)
            file = gr.File(label="A text file", height=84, visible=False, elem_id="merging-file")
            with gr.Row(elem_classes="line-of-buttons"):
                start = gr.Button("Train the tokenizer", size="sm", elem_id="merging-start", scale=0, min_width=180)
                stop = gr.Button("Stop", size="sm", elem_id="merging-stop", scale=0, min_width=80)
            view = training_view(
                label="Training of the tokenizer",
                elem_id="merging-view",
                empty="Bytes at first. Then, again and again, the pair that comes most often becomes a token.",
            )
            self.done = gr.State("")
            """Reference of the tokenizer that was trained last."""
        source.input(lambda chosen: gr.update(visible=chosen == "a file"), source, file, show_progress="hidden")
        train = page.shown()(self._train)
        outputs: list[Any] = [view, self.done, page.notice]
        work = start.click(train, [source, text, file, number], outputs, show_progress="hidden", concurrency_limit=4)
        stop.click(None, cancels=[work])

    def _train(self, source: str, text: str, path: str | None, number: int | None) -> Iterator[tuple[Any, Any]]:
        """Merge after merge; the page gets what there is now and then."""
        learned = {"the example": TEXT * 4, "the text of this page": text}.get(source)
        if learned is None:
            if not path:
                raise ConfigError("Choose a text file to learn from.")
            with open(path, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123
                learned = opened.read(MOST_CHARACTERS)
        if not 1 <= (number or 0) <= 10_000:
            raise ConfigError("Between 1 and 10,000 merges can be learned.")
        training = MergeTraining(learned[:MOST_CHARACTERS])
        size, sample = training.length, training.words(learned[:SAMPLE_BYTES])
        merges: list[Merge] = []
        shown = time.monotonic()
        for merge in training:
            merges.append(merge)
            if len(merges) >= (number or 0):
                break
            if time.monotonic() - shown > SHOW_SECONDS:
                yield training_value(training, merges, sample, size, False), gr.skip()
                shown = time.monotonic()
        if not merges:
            raise ConfigError("No two letters stand together twice in this text: there is nothing to merge.")
        yield training_value(training, merges, sample, size, True), self._trained(training)


class EncodingPart:
    """The accordion that shows a tokenizer's merges at work."""

    def __init__(self, page: Page, tokenizer: gr.Dropdown, load: Callable[[str], Tokenizer]) -> None:
        self._load = load
        with gr.Accordion("Merge by merge", open=False, elem_id="encoding-part") as part:
            word = gr.Textbox(" strawberry rivers", label="A few words", max_lines=1, elem_id="encoding-word")
            view = tree_view(label="The words while they are encoded", elem_id="encoding-view")
        show = page.shown()(self._encode)
        while_open(part, show, [tokenizer, word], [view, page.notice], [word.change, tokenizer.change])

    def _encode(self, reference: str | None, text: str) -> Value | None:
        """None for a tokenizer that does not work by merges."""
        if not reference or not text:
            return None
        tokenizer = self._load(reference)
        try:
            table = MergeTable(tokenizer)
        except ConfigError:
            return None
        words = []
        for letters in table.words(text)[:MOST_WORDS]:
            steps = table.encode(letters)
            words.append((steps, [table.tree(id) for id in steps[-1].ids]))
        return tree_value(words, tokenizer)
