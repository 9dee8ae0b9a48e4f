"""The app: the strip, the tabs, and the launch of Gradio with our own routes and guard."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from ui import server, strip
from ui.page import Page
from ui.theme import paper_and_ink

if TYPE_CHECKING:
    from lab.workspace import Workspace

TABS = {
    "start": "Start",
    "data": "Data",
    "tokens": "Tokens",
    "pretrain": "Pretrain",
    "completion": "Completion",
    "sft": "SFT",
    "labeling": "Labeling",
    "reward_model": "Reward model",
    "rl": "RL",
    "compare": "Compare",
    "arena": "Arena",
    "experiments": "Experiments",
    "history": "History",
    "models": "Models",
}
"""Tab id → name, in the order of the story. `ui/tabs/<id>.py` builds it; a tab exists once that file does."""


def build(workspace: Workspace, tabs: Iterable[str] = tuple(TABS)) -> gr.Blocks:
    """The page over one workspace, with all tabs or some of them; starts nothing."""
    with gr.Blocks(title="Nudge", analytics_enabled=False, fill_width=True) as blocks:
        strip.build(page := Page.create(workspace, blocks))
        existing = {tab: name for tab, name in TABS.items() if tab in tabs and find_spec(f"ui.tabs.{tab}")}
        with gr.Tabs(elem_id="tabs", selected="start", overflow_behavior="wrap"):
            for tab, name in existing.items():
                page.tabs[tab] = gr.Tab(name, id=tab, elem_id=f"tab-{tab}")
            for tab in existing:
                with page.tabs[tab]:
                    importlib.import_module(f"ui.tabs.{tab}").build(workspace, page)
        blocks.load(lambda: model_in_hand(workspace), None, page.model, show_progress="hidden")
    return blocks


def model_in_hand(workspace: Workspace) -> str:
    """What a fresh page starts with: the newest model made here, or the bundled base."""
    ended = [run for run in workspace.runs.list() if run.status in ("finished", "stopped")]
    made = [run for run in ended if run.algorithm != "reward_model"]
    return max(made, key=lambda run: run.created).model if made else "bundled:base"


def launch(
    workspace: Workspace,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    inline: bool = False,
    block: bool | None = None,
) -> str:
    """Serve the app on `port` (7860, or the next free one) and give its address.

    Waits until interrupted unless `block` is False; with `inline` the page is shown in the notebook, without waiting.
    Raises `ConfigError` for a host that others can reach: there is no login yet.
    """
    if host not in server.LOOPBACK:
        raise ConfigError(
            f"Nudge will not serve on {host}: other machines could reach it, and there is no login yet. "
            "Leave --host away, or use 127.0.0.1 with an ssh tunnel.",
            "host",
        )
    blocks = build(workspace)
    address = serve_blocks(blocks, workspace, host, port, inline)
    if not inline:
        print(f"Nudge is at {address}", flush=True)
        if browser:
            _open_browser(address)
    if not inline if block is None else block:
        blocks.block_thread()
    return address


def serve_blocks(
    blocks: gr.Blocks, workspace: Workspace, host: str = "127.0.0.1", port: int | None = None, inline: bool = False
) -> str:
    """Serve what `build` made and give its address, without waiting."""
    settings: dict[str, Any] = {
        "inline": inline,
        "prevent_thread_lock": True,
        "quiet": True,
        "show_error": True,
        "server_name": host,
        "server_port": port,
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "share": False,
        "height": 900,
        "theme": paper_and_ink(),
        "app_kwargs": {"routes": server.routes(workspace), "middleware": server.middleware(host, inline)},
    }
    try:
        _, address, _ = blocks.launch(**settings)
    except OSError:
        if port is None:
            raise
        _, address, _ = blocks.launch(**settings | {"server_port": None})
    return address


def _open_browser(address: str) -> None:
    import webbrowser

    try:
        webbrowser.open(address)
    except webbrowser.Error:  # no desktop here: the address is on the screen
        return
