"""The tree of what was written: every text is kept, hangs on the one it shares most with, and can be taken up again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.branches import Branches
from ui.drafts import Draft
from ui.widgets import Value, packed, stream_value, widget

if TYPE_CHECKING:
    from lab.branches import Branch
    from ui.page import Page

MOST = 60
"""Branches kept; the oldest leaves first."""


class BranchesPart:
    """The accordion. `kept` holds the `Branches` of this browser page."""

    def __init__(self, page: Page, draft: gr.State, text: gr.HTML, prompt: gr.Textbox) -> None:
        self.kept = gr.State(Branches())
        self._draft = draft
        with gr.Accordion("The tree of what was written", open=False, elem_id="branches-part"):
            self.view = widget(
                "branches",
                label="Branches",
                elem_id="branches-view",
                triggers=("take",),
                empty="Nothing is written yet.",
            )
            with gr.Row(elem_classes="line-of-buttons"):
                which = gr.Number(1, precision=0, label="Branch", elem_id="branches-which", scale=0, min_width=90)
                name = gr.Textbox(label="Name it", max_lines=1, elem_id="branches-name", scale=0, min_width=200)
                self.save = gr.DownloadButton(
                    "Download the tree", size="sm", visible=False, elem_id="branches-save", scale=0, min_width=160
                )
        shown = page.shown()
        self.view.take(shown(self._take), [self.kept, draft], [text, prompt, page.notice], show_progress="hidden")
        naming: list[Any] = [self.kept, which, name]
        name.submit(shown(self._name), naming, [*self._shown, page.notice], show_progress="hidden")

    @property
    def _shown(self) -> list[Any]:
        return [self.kept, self.view, self.save]

    def keep_after(self, event: Any) -> None:
        """Keep what is written when this event is over."""
        event.then(self._keep, [self.kept, self._draft], self._shown, show_progress="hidden")

    def _keep(self, kept: Branches, draft: Draft) -> tuple[Any, ...]:
        if draft.writing or not draft.tokens:
            return gr.skip(), gr.skip(), gr.skip()
        more = kept.add(draft.model, draft.prompt, draft.tokens)
        if len(more.kept) > MOST:
            more = Branches(more.kept[-MOST:])
        return more, branches_value(more), for_download(more)

    def _take(self, kept: Branches, draft: Draft, event: gr.EventData) -> tuple[Value, str]:
        """Show a branch again; its tokens can be chosen from as before."""
        branch = kept.get(int(event.number))
        draft.end(draft.begin(branch.model, branch.prompt, list(branch.tokens)))
        return stream_value(draft.key, branch.prompt, draft.tokens, note=f"{branch.name} again"), branch.prompt

    def _name(self, kept: Branches, number: int | None, name: str) -> tuple[Any, ...]:
        named = kept.named(int(number or 0), name)
        return named, branches_value(named), for_download(named)


def for_download(branches: Branches) -> dict[str, Any]:
    """The tree as a file behind the button."""
    path = Path(tempfile.mkdtemp(prefix="nudge-branches-")) / "branches.json"
    path.write_text(branches.to_json(), encoding="utf-8")
    return gr.update(value=str(path), visible=True)


def branches_value(branches: Branches) -> Value:
    """The value of the tree: each branch with what it shares with the one it hangs on, and what is its own."""
    return packed({"rows": [_row(depth, branch) for depth, branch in branches.in_order()]})


def _row(depth: int, branch: Branch) -> dict[str, Any]:
    texts = [token.text for token in branch.tokens]
    return {
        "number": branch.number,
        "name": branch.name,
        "depth": min(depth, 6),
        "prompt": branch.prompt if branch.parent is None else "",
        "shared": len(texts[: branch.shared]),
        "differs": "".join(texts[branch.shared : branch.shared + 1]),
        "rest": "".join(texts[branch.shared + 1 :])[:400],
        "tokens": len(texts),
        "bits": round(branch.bits, 2),
    }
