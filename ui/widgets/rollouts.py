"""The rollout grid: the samples of a watched question with what each is worth; and the tokens of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import RunError
from ui.plots import ENDED

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page


def rollout_grid(page: Page, elem_id: str) -> gr.HTML:
    """The grid of one run; its value is the run's id. The browser asks for what is new while the run is active."""

    def rollouts(request: dict[str, Any]) -> dict[str, Any]:
        return run_rollouts(page.workspace, str(request["run"]), int(request["after"]), bool(request.get("voted")))

    return gr.HTML(
        value="",
        html_template='<div class="rollouts nudge-widget"></div>',
        js_on_load="nudge.rollouts({element, props, watch, server})",
        server_functions=[rollouts],
        apply_default_css=False,
        label="Samples of a question",
        elem_id=elem_id,
    )


def run_rollouts(workspace: Workspace, run_id: str, after: int, voted: bool = False) -> dict[str, Any]:
    """What is new since byte `after` in the record of a run's watched completions: `rows`, the `cursor` of the next
    call, and whether there may be more. Of a run of self-improvement also its `votes`, unless they are known (`voted`).
    """
    try:
        run = workspace.runs.get(run_id)
    except RunError:
        return {"rows": [], "cursor": 0, "active": False}
    active = run.status not in ENDED  # asked before the rows, so that the last ones are in when it is false
    rows, cursor = run.rollouts(after)
    votes = run.votes() if run.algorithm == "self_improve" and not voted else []
    return {"rows": rows, "cursor": cursor, "active": active or bool(rows), "votes": votes}
