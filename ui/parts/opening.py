"""What an accordion shows is worked out while it is open, and not before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr


def while_open(
    part: gr.Accordion, show: Callable[..., Any], inputs: list[Any], outputs: list[Any], changes: Sequence[Any]
) -> None:
    """Call `show` when the part is opened, and then at every one of the events `changes` until it is closed."""
    is_open = gr.State(False)
    quiet: Any = {"show_progress": "hidden", "trigger_mode": "always_last"}

    def show_if_open(opened: bool, *values: Any) -> Any:
        return show(*values) if opened else gr.skip()

    opening = part.expand(lambda: True, None, is_open, show_progress="hidden", queue=False)
    opening.then(show, inputs, outputs, **quiet)
    part.collapse(lambda: False, None, is_open, show_progress="hidden", queue=False)
    gr.on(changes, show_if_open, [is_open, *inputs], outputs, **quiet)
