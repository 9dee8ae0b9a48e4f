"""Letters and tokens: why counting the r of strawberry is hard for a model, and what each language costs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from lab.languages import costs
from lab.token_study import spelled
from lab.tokenizer import Tokenizer
from ui.parts.opening import while_open
from ui.widgets import Value, packed, widget
from ui.widgets.amounts import amounts_value, amounts_view

if TYPE_CHECKING:
    from ui.page import Page

MOST_LETTERS = 400


class SpellingPart:
    """The accordion: what a person sees above, what the model sees below."""

    def __init__(self, page: Page, tokenizer: gr.Dropdown, load: Callable[[str], Tokenizer]) -> None:
        self._load = load
        with gr.Accordion("Letter by letter", open=False, elem_id="spelling-part") as part:
            with gr.Row(elem_classes="line-of-buttons"):
                word = gr.Textbox("strawberry", label="A word or a sentence", elem_id="spelling-word", scale=1)
                letter = gr.Textbox("r", label="Letter, or 3 for every third", max_length=3, elem_id="spelling-letter")
            view = widget("spelling", label="Letters and tokens", elem_id="spelling-view")
        show = page.shown()(self._spell)
        changes = [word.change, letter.change, tokenizer.change]
        while_open(part, show, [tokenizer, word, letter], [view, page.notice], changes)

    def _spell(self, reference: str | None, text: str, letter: str) -> Value | None:
        if not reference or not text:
            return None
        text, wanted = text[:MOST_LETTERS], letter.strip()
        every = int(wanted) if wanted.isdigit() else 0
        tokens = self._load(reference).encode(text)
        letters = spelled(text, tokens, "" if every else wanted[:1], every)
        hits = [str(each.number) for each in letters if each.wanted]
        asked = f"one in {every}" if every else f"“{wanted[:1]}”"
        places = f", at {', '.join(hits)}" if hits else ""
        said = f"You see {len(letters)} letters; {asked}: {len(hits)} of them{places}. "
        said += f"The model sees {len(tokens)} numbers, and nothing in a number says which letters are in it."
        rows = [
            {
                "id": token.id,
                "letters": [[each.text, each.number, each.wanted] for each in letters if each.token == place],
            }
            for place, token in enumerate(tokens)
        ]
        return packed({"tokens": rows, "note": said})


class LanguagesPart:
    """The accordion: the same sentences in several languages."""

    def __init__(self, page: Page, tokenizer: gr.Dropdown, load: Callable[[str], Tokenizer]) -> None:
        self._load = load
        with gr.Accordion("What each language costs", open=False, elem_id="languages-part") as part:
            view = amounts_view(label="Tokens of the same sentences", elem_id="languages-view")
        while_open(part, page.shown()(self._costs), [tokenizer], [view, page.notice], [tokenizer.change])

    def _costs(self, reference: str | None) -> Value | None:
        if not reference:
            return None
        found = costs(self._load(reference))
        most = max(cost.tokens for cost in found)
        rows = [
            (cost.language, cost.tokens / most, f"{cost.tokens} tokens, {cost.ratio:.1f} × English") for cost in found
        ]
        return amounts_value(rows, "The same two sentences in each language. A window holds less of a dear one.")
