"""What of the text on the page stands word for word in a corpus."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from lab.regurgitation import Corpus
from ui.drafts import Draft
from ui.widgets import Value, packed, widget

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

LEAST = 20
"""Characters from which a run is marked."""
WORDS = (2, 3, 4, 5, 8)


class RegurgitationPart:
    """The accordion."""

    def __init__(self, workspace: Workspace, page: Page, draft: gr.State) -> None:
        self._workspace = workspace
        self._corpus = lru_cache(maxsize=2)(self._read)
        with gr.Accordion("Is it from the training text?", open=False, elem_id="regurgitation-part"):
            corpus = gr.Dropdown([], label="Corpus", elem_id="regurgitation-corpus")
            look = gr.Button("Look it up", size="sm", elem_id="regurgitation-look", scale=0, min_width=140)
            view = widget(
                "verbatim",
                label="Verbatim runs",
                elem_id="regurgitation-view",
                empty="The longest stretch of what was written that stands word for word in the corpus.",
            )
        look.click(page.shown()(self._look), [corpus, draft], [view, page.notice])
        page.on_open("completion", self._choices, corpus, corpus)

    def _choices(self, chosen: str | None) -> dict[str, Any]:
        own = [info.name for info in self._workspace.datasets.list() if info.kind in ("documents", "conversations")]
        names = [*own, *(name for name in self._workspace.datasets.builtin() if name.startswith("world:"))]
        names = [name for name in names if name.count(":") < 2]
        first = "world:documents" if "world:documents" in names else next(iter(names), None)
        return gr.update(choices=names, value=chosen if chosen in names else first)

    def _read(self, name: str) -> Corpus:
        def text(record: Any) -> str:
            return record.text if hasattr(record, "text") else "\n".join(m.content for m in record.messages)

        return Corpus(map(text, self._workspace.datasets.records(name)))

    def _look(self, name: str | None, draft: Draft) -> Value:
        if not name or not draft.tokens:
            raise ConfigError("There is nothing to look up yet: let the model write, and choose a corpus.")
        corpus = self._corpus(name)
        pieces = [token.text for token in draft.tokens]
        runs = corpus.runs(pieces, LEAST)
        longest = max(runs, key=lambda run: run.characters, default=None)
        said = f"Looked in {len(corpus):,} documents, {corpus.characters:,} characters. "
        if longest is None:
            said += f"No run of {LEAST} characters stands there word for word."
        else:
            times = "once" if longest.times == 1 else f"{longest.times:,} times"
            said += (
                f"The longest run: {longest.end - longest.start} tokens, {longest.characters} characters, which stand "
                f"{times}, first in document {longest.document:,}."
            )
        shares = [(words, corpus.novelty("".join(pieces), words)) for words in WORDS]
        return packed(
            {
                "pieces": pieces,
                "runs": [[run.start, run.end, f"{run.characters} characters, {run.times}×"] for run in runs],
                "novelty": [[f"{words} words", share] for words, share in shares if share is not None],
                "note": said,
            }
        )
