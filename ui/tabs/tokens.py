"""Tokens: what a model sees of a text, and of a conversation."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.chat_template import DEFAULT_TEMPLATE, ChatTemplate
from lab.errors import LabError, ModelError
from lab.merging import MergeTraining
from lab.tiktoken_ranks import ENCODINGS, PREFIX, find
from lab.token_study import lengths, limited, search, segments, unreachable, unseen
from lab.tokenizer import Tokenizer, load_tokenizer
from ui.parts.merges import EncodingPart, TrainingPart
from ui.parts.spelling import LanguagesPart, SpellingPart
from ui.widgets import Value, encoded_tokens, note_view, packed, token_value, token_view
from ui.widgets.study import (
    aligned_value,
    aligned_view,
    figures_view,
    found_value,
    found_view,
    ladder_value,
    ladder_view,
    text_figures,
)

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

EXAMPLES = {
    "A sentence": "Training is nudging the probability of the next token.",
    "Spaces and capitals": "hello world\nhelloworld\nhello  world\nHello world\nHELLO WORLD\n    indented",
    "Spelling": "How many r are there in strawberry? And every third letter of ubiquitous?",
    "Numbers": "9.11 or 9.9? 127 + 677 = 804, 1,000,000 and 3.14159",
    "Languages": "The child reads a book.\nDas Kind liest ein Buch.\nEl niño lee un libro.\n"
    "Ребёнок читает книгу.\n孩子在看书。\n아이가 책을 읽는다.\nबच्चा किताब पढ़ता है।",
    "Emoji": "👍 👍🏽 👨‍👩‍👧‍👦 naïve café — “quotes” …",
    "Code": "def nudge(p):\n    for step in range(100):\n        p += 0.01 * (1 - p)\n    return p\n",
    "Control tokens": "<|user|>Who are you?<|end|><|assistant|>Whoever the text says I am.<|end|>",
}
"""Texts that show something, by what they show."""

BASELINES = [("Bytes", "bytes"), ("Characters", "characters")]
OWN = "trained:"
"""Begins the reference of a tokenizer that was trained on this page."""
SHOWN_CHARACTERS = 200_000
"""A longer text is counted in full and shown up to here."""


ODD_TOKENS: dict[str, Any] = {
    "not in the text above": unseen,
    "no text becomes it": lambda tokenizer, _: unreachable(tokenizer),
}
"""Kinds of tokens that are looked for without a query."""
QUIET: Any = {"show_progress": "hidden", "trigger_mode": "always_last"}
"""For events that follow the typing."""


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    tokenizers = Tokenizers(workspace)
    page.title("Text, as a model sees it.", "A model reads numbered pieces. Point at one to look inside it.")
    chosen = [*_text_part(tokenizers, page), *_conversation_part(tokenizers, page)]
    page.on_open("tokens", lambda *now: tuple(map(tokenizers.dropdown, now, (True, False, True))), chosen, chosen)


def _text_part(tokenizers: Tokenizers, page: Page) -> list[gr.Dropdown]:
    """A text and its tokens; gives the dropdowns to fill when the tab opens."""
    start = EXAMPLES["A sentence"]
    choices, first = tokenizers.choices(), tokenizers.first()
    now = study_text(tokenizers, start, first, parse_special=False)
    with page.columns():
        with page.goes_in():
            example = gr.Dropdown(list(EXAMPLES), value="A sentence", label="Example", elem_id="tokens-example")
            text = gr.Textbox(start, label="Text", lines=6, max_lines=16, elem_id="tokens-text")
            tokenizer = gr.Dropdown(choices, value=first, label="Tokenizer", elem_id="tokens-tokenizer")
            special = gr.Radio(
                [("stay plain text", False), ("become those tokens", True)],
                value=False,
                label="Control tokens written in the text",
                info="In a chat they stay plain text: else whoever types one could speak for the assistant.",
                elem_id="tokens-special",
            )
            share = gr.Button("Link to this view", size="sm", elem_id="tokens-share")
        with page.comes_out():
            figures = figures_view(now[0], label="Lengths of the text", elem_id="tokens-figures")
            pieces = token_view(now[1], label="Tokens of the text", elem_id="tokens-view", elem_classes="scene")
            with gr.Accordion("From characters to bits to tokens", open=False, elem_id="tokens-ladder-part"):
                ladder = ladder_view(now[2], label="The text on every rung", elem_id="tokens-ladder")
            second = _second_part(tokenizers, page, text, tokenizer, special)
            _search_part(tokenizers, page, tokenizer, text)
            SpellingPart(page, tokenizer, tokenizers.load)
            LanguagesPart(page, tokenizer, tokenizers.load)
            EncodingPart(page, tokenizer, tokenizers.load)
            training = TrainingPart(page, text, tokenizers.keep)
            training.done.change(
                lambda *now: tuple(map(tokenizers.dropdown, now, (True, False))),
                [tokenizer, second],
                [tokenizer, second],
                show_progress="hidden",
            )
    fields: list[Any] = [text, tokenizer, special]
    share.click(None, fields, share, js="(...values) => nudge.share(values)", show_progress="hidden")
    page.blocks.load(None, fields, fields, js="(...now) => nudge.shared('tokens', now)", show_progress="hidden")
    example.input(EXAMPLES.get, example, text, show_progress="hidden")
    study = page.shown()(lambda *values: study_text(tokenizers, *values))
    changes = [text.change, tokenizer.change, special.change]
    gr.on(changes, study, [text, tokenizer, special], [figures, pieces, ladder, page.notice], **QUIET)
    return [tokenizer, second]


def _second_part(
    tokenizers: Tokenizers, page: Page, text: gr.Textbox, tokenizer: gr.Dropdown, special: gr.Radio
) -> gr.Dropdown:
    """The same text cut by another tokenizer."""
    with gr.Accordion("Beside another tokenizer", open=False, elem_id="tokens-aligned-part"):
        second = gr.Dropdown(BASELINES, value=None, label="Second tokenizer", elem_id="tokens-second")
        aligned = aligned_view(label="Two tokenizers on the text", elem_id="tokens-aligned")
    compare = page.shown()(lambda *values: (compare_cuts(tokenizers, *values),))
    changes = [text.change, tokenizer.change, special.change, second.change]
    gr.on(changes, compare, [text, tokenizer, second, special], [aligned, page.notice], **QUIET)
    return second


def _search_part(tokenizers: Tokenizers, page: Page, tokenizer: gr.Dropdown, text: gr.Textbox) -> None:
    """What is in the vocabulary."""
    with gr.Accordion("Search the vocabulary", open=False, elem_id="tokens-search-part"):
        with gr.Row():
            query = gr.Textbox(label="Search for", elem_id="tokens-query")
            by = gr.Radio(["text", "regex", "id", *ODD_TOKENS], value="text", label="as", elem_id="tokens-by")
        found = found_view(label="Tokens found", elem_id="tokens-found")
    look = page.shown()(lambda *values: find_tokens(tokenizers, *values))
    inputs = [tokenizer, text, query, by]
    gr.on([query.change, by.change, tokenizer.change], look, inputs, [found, page.notice], **QUIET)


def _conversation_part(tokenizers: Tokenizers, page: Page) -> list[gr.Dropdown]:
    """A conversation as tokens, with what training learns to write; gives the dropdown to fill when the tab opens."""
    gr.HTML(html_template="<h2>A conversation, as a model sees it</h2>", js_on_load=None, apply_default_css=False)
    with page.columns():
        with page.goes_in():
            system = gr.Textbox("", label="System", lines=1, max_lines=6, elem_id="tokens-chat-system")
            user = gr.Textbox("Who are you?", label="User", lines=2, max_lines=8, elem_id="tokens-chat-user")
            assistant = gr.Textbox(
                "I am a model that you trained.",
                label="Assistant",
                lines=2,
                max_lines=8,
                elem_id="tokens-chat-assistant",
            )
            model = gr.Dropdown([], label="Model with the chat template", elem_id="tokens-chat-model")
        with page.comes_out():
            pieces = token_view(
                label="Tokens of the conversation",
                elem_id="tokens-chat-view",
                elem_classes="scene",
                empty="Choose a model to see how its chat template writes this conversation.",
            )
            with gr.Accordion("The template, to be changed", open=False, elem_id="tokens-template-part"):
                source = gr.Textbox(
                    label="Chat template (Jinja)", lines=8, max_lines=24, elem_id="tokens-template", elem_classes="mono"
                )
                trouble = note_view(label="What is wrong with the template", elem_id="tokens-template-trouble")
    show = page.shown()(lambda *values: study_conversation(tokenizers, *values))
    fields: list[Any] = [system, user, assistant, model, source]
    outputs: list[Any] = [pieces, trouble, page.notice]
    chosen = model.change(page.shown()(tokenizers.template), model, [source, page.notice], show_progress="hidden")
    chosen.then(show, fields, outputs, **QUIET)
    gr.on([system.change, user.change, assistant.change, source.change], show, fields, outputs, **QUIET)
    return [model]


class Tokenizers:
    """The tokenizers at hand: of the workspace's models, those trained here, OpenAI's encodings whose ranks are on this
    machine, and the two baselines. Keeps the last few loaded."""

    def __init__(self, workspace: Workspace) -> None:
        self._models = workspace.models
        self._own = workspace.folder / "tokenizers"
        self._loaded = lru_cache(maxsize=4)(load_tokenizer)

    def load(self, reference: str) -> Tokenizer:
        """The tokenizer of a model reference, or `bytes`, or `characters`."""
        if reference in ("bytes", "characters") or reference.startswith(PREFIX):
            return self._loaded(reference)
        if reference.startswith(OWN):
            return self._loaded(self._own / reference.removeprefix(OWN))
        return self._loaded(self._models.resolve(reference))

    def choices(self) -> list[tuple[str, str]]:
        """(name, reference) of what there is now."""
        own = sorted(path.parent.name for path in self._own.glob("*/tokenizer.json"))
        models = ((info.name, info.reference) for info in self._models.list())
        published = [(name, PREFIX + name) for name in ENCODINGS if find(name)]
        return [*models, *((name, OWN + name) for name in own), *published, *BASELINES]

    def keep(self, training: MergeTraining) -> str:
        """Keep a tokenizer that was trained here; gives its reference."""
        number = sum(1 for _ in self._own.glob("*")) + 1
        name = f"own {number}, {len(training.merges):,} merges"
        training.save(self._own / name)
        return OWN + name

    def template(self, reference: str | None) -> str:
        """The chat template of a model, or the one for models that have none."""
        return (self.load(reference).chat_template if reference else None) or DEFAULT_TEMPLATE

    def first(self) -> str:
        """What the page starts with: the first model whose tokenizer can be read, else bytes."""
        for _, reference in self.choices():
            try:
                self.load(reference)
            except LabError:
                continue
            return reference
        return "bytes"

    def name(self, reference: str) -> str:
        """The name that the dropdown shows for a reference."""
        return next((name for name, known in self.choices() if known == reference), reference)

    def dropdown(self, chosen: str | None, needed: bool) -> dict[str, Any]:
        """A dropdown with what is there now. It keeps what is chosen, else takes the first when one is `needed`."""
        choices = self.choices()
        if chosen not in {reference for _, reference in choices}:
            chosen = self.first() if needed else None
        return gr.update(choices=choices, value=chosen)


def study_text(tokenizers: Tokenizers, text: str, reference: str, parse_special: bool) -> tuple[Value, Value, Value]:
    """Figures, tokens and ladder of a text."""
    tokenizer = tokenizers.load(reference)
    shown = text[:SHOWN_CHARACTERS]
    tokens = tokenizer.encode(shown, parse_special)
    count = len(tokens) if shown == text else len(tokenizer.ids(text, parse_special))
    counts = lengths(text, count)
    ids = [token.id for token in tokens[:100]]
    ladder = ladder_value(text, ids, counts, tokenizer.vocab_size)
    return text_figures(counts), token_value(tokens, total=count), ladder


def find_tokens(tokenizers: Tokenizers, reference: str, text: str, query: str, by: Any) -> Value:
    """Tokens of a vocabulary by text, regular expression or id, or those of a kind that `ODD_TOKENS` names."""
    tokenizer = tokenizers.load(reference)
    odd = ODD_TOKENS.get(by)
    return found_value(limited(odd(tokenizer, text)), by) if odd else found_value(search(tokenizer, query, by), query)


def compare_cuts(
    tokenizers: Tokenizers, text: str, first: str, second: str | None, parse_special: bool
) -> Value | None:
    """Two tokenizers on the beginning of a text; None until a second one is chosen."""
    if not second:
        return None
    loaded = [tokenizers.load(reference) for reference in (first, second)]
    a, b = (tokenizer.encode(text[:SHOWN_CHARACTERS], parse_special) for tokenizer in loaded)
    return aligned_value((tokenizers.name(first), tokenizers.name(second)), a, b, segments(a, b))


def study_conversation(
    tokenizers: Tokenizers, system: str, user: str, assistant: str, reference: str | None, source: str
) -> tuple[Any, Value]:
    """The tokens of a conversation with what is learned of it, and what is wrong with the template, if anything is:
    what was shown before stays then."""
    if not reference:
        return None, packed("")
    tokenizer = tokenizers.load(reference)
    said = [("system", system), ("user", user), ("assistant", assistant)]
    messages = [{"role": role, "content": content} for role, content in said if content]
    given = None if source == DEFAULT_TEMPLATE else source
    trusted = reference.startswith("bundled:") and given == tokenizer.chat_template
    try:
        template = ChatTemplate(given, tokenizer, isolated=not trusted)
        encoded = template.encode(messages)
    except ModelError as error:
        return gr.skip(), packed(str(error))
    note = template.note or (
        "This model has no chat template of its own; roles are plain words." if template.is_default else ""
    )
    return token_value(encoded_tokens(tokenizer, encoded), encoded.loss_mask, note), packed("")
