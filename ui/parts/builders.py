"""Prompts that are built: examples before the question, an assistant out of a base model, and what is really sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.config import SamplingConfig
from lab.errors import ConfigError
from lab.few_shot import ASSISTANT, ASSISTANT_STOP, MOST_SHOTS, few_shot_prompt, is_right, read_table, shots_of
from lab.intervals import wilson
from ui.forms import LINE_BREAK
from ui.parts.opening import while_open
from ui.widgets import Value, token_value, token_view
from ui.widgets.amounts import amounts_value, amounts_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

ACCURACY_AT = (0, 1, 2, 3, 5, 10)
MOST_ROWS = 100


class BuildersPart:
    """The accordions. Built prompts go into the prompt of the page."""

    def __init__(
        self, workspace: Workspace, page: Page, model: gr.Dropdown, prompt: gr.Textbox, stop: Any, table: str
    ) -> None:
        self._workspace = workspace
        with gr.Accordion("Build a prompt", open=False, elem_id="builders-part"):
            self._place_few_shot(page, model, prompt, stop, table)
            self._place_assistant(page, prompt, stop)
        self._place_sent(page, model, prompt)

    def _place_few_shot(self, page: Page, model: gr.Dropdown, prompt: gr.Textbox, stop: Any, table: str) -> None:
        rows = gr.Textbox(
            table,
            label="Examples, one “question: answer” on each line",
            lines=5,
            max_lines=12,
            elem_id="few-shot-table",
        )
        with gr.Row(elem_classes="line-of-buttons"):
            question = gr.Textbox("", label="Question", max_lines=1, elem_id="few-shot-question", scale=1)
            shots = gr.Slider(0, MOST_SHOTS, value=3, step=1, label="Shots", elem_id="few-shot-shots", scale=1)
        with gr.Row(elem_classes="line-of-buttons"):
            use = gr.Button("Use as prompt", size="sm", elem_id="few-shot-use", scale=0, min_width=140)
            measure = gr.Button("Measure accuracy", size="sm", elem_id="few-shot-measure", scale=0, min_width=160)
        accuracy = amounts_view(
            label="Accuracy by number of shots",
            elem_id="few-shot-accuracy",
            empty="Every row is asked once, after other rows as examples: how many answers are right?",
        )
        outputs: list[Any] = [prompt, stop, page.notice]
        use.click(page.shown()(self._few_shot), [rows, question, shots], outputs, show_progress="hidden")
        measure.click(page.shown()(self._accuracy), [model, rows], [accuracy, page.notice])

    def _place_assistant(self, page: Page, prompt: gr.Textbox, stop: Any) -> None:
        asked = gr.Textbox(
            "Who are you?", label="Ask an assistant made by its prompt alone", max_lines=2, elem_id="assistant-question"
        )
        build = gr.Button("Make it an assistant", size="sm", elem_id="assistant-use", scale=0, min_width=180)
        outputs: list[Any] = [prompt, stop, page.notice]
        stop_rule = ASSISTANT_STOP.replace("\n", LINE_BREAK)
        build.click(
            page.shown()(lambda asked: (ASSISTANT.format(question=asked.strip()), stop_rule)),
            asked,
            outputs,
            show_progress="hidden",
        )

    def _place_sent(self, page: Page, model: gr.Dropdown, prompt: gr.Textbox) -> None:
        with gr.Accordion("What is sent, to the token", open=False, elem_id="sent-part") as part:
            view = token_view(label="Tokens of the prompt", elem_id="sent-view")
        show = page.shown()(self._sent)
        outputs: list[Any] = [view, page.notice]
        while_open(part, show, [model, prompt], outputs, [prompt.change, model.change])

    def _few_shot(self, rows: str, question: str, shots: float) -> tuple[str, str]:
        table = read_table(rows)
        asked = question.strip() or (table[-1].question if table else "")
        examples = [example for example in table if example.question != asked][: int(shots)]
        if not asked or len(examples) < shots:
            raise ConfigError(f"{int(shots)} shots need as many rows besides the question.")
        return few_shot_prompt(examples, asked), LINE_BREAK

    def _accuracy(self, model: str | None, rows: str) -> Value:
        if not model:
            raise ConfigError("There is no model to ask. Choose one.")
        table = read_table(rows)[:MOST_ROWS]
        greedy = SamplingConfig(temperature=0.0, max_new_tokens=16, stop=("\n",))
        bars = []
        for shots in (count for count in ACCURACY_AT if count < len(table)):
            asked = shots_of(table, shots)
            made = self._workspace.inference.complete_many(model, [each.prompt for each in asked], greedy)
            right = sum(is_right(answer.text, each.answer) for answer, each in zip(made, asked, strict=True))
            low, high = wilson(right, len(asked))
            label = f"{right} of {len(asked)} ({100 * low:.0f}–{100 * high:.0f} %)"
            bars.append((f"{shots} shot{'' if shots == 1 else 's'}", right / len(asked), label))
        if not bars:
            raise ConfigError("The table has no rows.")
        return amounts_value(bars, "Right: the first line is the answer. In brackets the 95 % interval.")

    def _sent(self, model: str | None, prompt: str) -> Value | None:
        """The exact ids, how much of the window they take, and what the cache of keys and values costs."""
        if not model or not prompt:
            return None
        tokens = self._workspace.inference.prompt_tokens(model, prompt)
        place, spans = 0, []
        for token in tokens:
            length = 0 if token.special else len(token.text)
            spans.append(_Placed(token, place, place + length))
            place += length
        info = self._workspace.models.info(model)
        fits = [place < info.context_length for place in range(len(spans))]
        return token_value(spans, None if all(fits) else fits, self._note(info, len(spans)))

    def _note(self, info: Any, tokens: int) -> str:
        window, left = info.context_length, info.context_length - tokens
        room = f"{left:,} are left for the answer" if left > 0 else f"{1 - left:,} too many, the underlined ones fit"
        said = f"The window holds {window:,} tokens; {room}. Nothing else is sent: the model has no memory."
        cost = cache_bytes(json.loads((info.folder / "config.json").read_text(encoding="utf-8")))
        now = f"{cost * tokens / 1024:,.0f} KiB now"
        return f"{said} Its cache of keys and values grows by {cost:,} bytes a token: {now}." if cost else said


class _Placed:
    """A token of a prompt as `token_value` wants it."""

    def __init__(self, token: Any, start: int, end: int) -> None:
        self.id, self.text, self.bytes, self.special = token.id, token.text, token.bytes, token.special
        self.start, self.end = start, end


def cache_bytes(config: dict[str, Any]) -> int:
    """Bytes that one token adds to the cache of keys and values, in float32; 0 when the config does not say."""
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or config.get("n_head") or 0
    queries = config.get("num_attention_heads") or config.get("n_head") or 1
    width = config.get("head_dim") or (config.get("hidden_size") or config.get("n_embd") or 0) // queries
    return 2 * 4 * (config.get("num_hidden_layers") or config.get("n_layer") or 0) * heads * width
