"""What the tabs share: the workspace, the model in hand, the notice, and how to get from one tab to another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.errors import nothing_wrong, shown

if TYPE_CHECKING:
    from lab.workspace import Workspace

COLOURS = 6
"""Number of model colours in nudge.css: `--model-0` (grey, the ground one starts from) to `--model-5`."""


@dataclass
class Page:
    """Made once while the app is built; holds components and the workspace, and nothing that changes."""

    workspace: Workspace
    blocks: gr.Blocks
    model: gr.State
    """Reference of the model in hand: what Completion and SFT start with. Listen with `page.model.change(...)`."""
    pair: gr.State
    """References that Compare opens with; () until a run or a page has given some."""
    prompt: gr.State
    """A prompt handed from one tab to another; empty when there is none."""
    notice: gr.HTML
    """Says what went wrong; the last output of every event whose callback is decorated with `page.shown()`."""
    tabs: dict[str, gr.Tab] = field(default_factory=dict)
    """The tabs there are, by id."""

    @classmethod
    def create(cls, workspace: Workspace, blocks: gr.Blocks) -> Page:
        """The shared parts, placed where they are called for: at the top of the page."""
        notice = gr.HTML(
            value=nothing_wrong(0.0),
            html_template='<div class="notice" role="alert"></div>',
            js_on_load="nudge.notice({element, props, watch})",
            apply_default_css=False,
            elem_id="notice",
        )
        return cls(workspace, blocks, gr.State("bundled:base"), gr.State(()), gr.State(""), notice)

    def shown(self, form: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """The decorator of `ui.errors`, for callbacks that may raise a `LabError`."""
        return shown(self.notice, form)

    def navigate(self, tab: str) -> str:
        """JavaScript for an event's `js=` that opens a tab (nothing happens where the tab does not exist)."""
        return f"(...values) => {{ nudge.go('{tab}'); return values; }}"

    def on_open(self, tab: str, callback: Callable[..., Any], inputs: Any = None, outputs: Any = None) -> None:
        """Call whenever the tab is opened, also by a reload of the page: a tab shows what is true now."""
        self.tabs[tab].select(callback, inputs, outputs, show_progress="hidden")

    def on_load(self, callback: Callable[..., Any], inputs: Any = None, outputs: Any = None) -> None:
        """Call when the page loads."""
        self.blocks.load(callback, inputs, outputs, show_progress="hidden")

    def title(self, text: str, note: str = "") -> None:
        """The page's heading (ten words or fewer), and a quieter sentence under it. Our own words only."""
        under = f'<p class="lead">{note}</p>' if note else ""
        gr.HTML(
            html_template=f"<h1>{text}</h1>{under}", js_on_load=None, apply_default_css=False, elem_classes=["title"]
        )

    def goes_in(self) -> AbstractContextManager[Any]:
        """The narrow left column: what goes in. Inside `with gr.Row(elem_classes="two-columns")`."""
        return gr.Column(elem_classes=["goes-in"], scale=0, min_width=320)

    def comes_out(self) -> AbstractContextManager[Any]:
        """The wide right column: what comes out."""
        return gr.Column(elem_classes=["comes-out"], scale=1, min_width=320)

    def columns(self) -> AbstractContextManager[Any]:
        """The row around both columns; on a phone they stack."""
        return gr.Row(elem_classes=["two-columns"], equal_height=False)

    def model_choices(self) -> list[tuple[str, str]]:
        """(name, reference) of the models at hand that write text, for a dropdown."""
        return [(info.name, info.reference) for info in self.workspace.models.list() if not info.is_reward]

    def reward_choices(self) -> list[tuple[str, str]]:
        """(name, reference) of the reward models at hand, the newest first, for a dropdown."""
        return [(info.name, info.reference) for info in self.workspace.models.list() if info.is_reward]

    def colour(self, reference: str) -> int:
        """Which model colour is this model's, everywhere: 0 for what was not made here, else by order of birth."""
        return model_colour(self.workspace, reference)


def model_colour(workspace: Workspace, reference: str) -> int:
    """See `Page.colour`."""
    if not reference.startswith("run:"):
        return 0
    run_id = reference.removeprefix("run:").partition("@")[0]
    born = sorted((run.created, run.id) for run in workspace.runs.list())
    place = next((place for place, (_, known) in enumerate(born) if known == run_id), 0)
    return 1 + place % (COLOURS - 1)
