"""The app: the strip, the tabs, and the launch of Gradio with our own routes and guard."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import gradio as gr

from lab.errors import ConfigError
from ui import server, strip
from ui.login import Login
from ui.login_page import reachable
from ui.page import Page
from ui.people import GUEST_TABS, open_to_guests
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
        open_to_guests(list(blocks.fns.values()))
        existing = {tab: name for tab, name in TABS.items() if tab in tabs and find_spec(f"ui.tabs.{tab}")}
        with gr.Tabs(elem_id="tabs", selected="start", overflow_behavior="wrap"):
            for tab, name in existing.items():
                page.tabs[tab] = gr.Tab(name, id=tab, elem_id=f"tab-{tab}")
            for tab in existing:
                before = set(blocks.fns)
                with page.tabs[tab]:
                    importlib.import_module(f"ui.tabs.{tab}").build(workspace, page)
                if tab in GUEST_TABS:
                    open_to_guests([event for number, event in blocks.fns.items() if number not in before])
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
    password: str | None = None,
) -> str:
    """Serve the app on `port` (7860, or the next free one) and give its address.

    Waits until interrupted unless `block` is False; with `inline` the page is shown in the notebook, without waiting.
    With a `password` people log in: the owner with it, guests with a class code that is printed here.
    Raises `ConfigError` for a host that others can reach without a password, and for a password that is too short.
    """
    if host not in server.LOOPBACK and password is None:
        raise ConfigError(
            f"Nudge will not serve on {host} without a login: other machines could reach it. Set a password in the "
            "environment variable NUDGE_PASSWORD, or leave --host away and use an ssh tunnel.",
            "host",
        )
    login = None if password is None else Login(password)
    blocks = build(workspace)
    address = serve_blocks(blocks, workspace, host, port, inline, login)
    if not inline:
        print(f"Nudge is at {address}", flush=True)
        if login is not None:
            print(welcome(host, address, login), flush=True)
        if browser:
            _open_browser(address if login is None else f"{address}login?{login.link}")
    if not inline if block is None else block:
        blocks.block_thread()
    return address


def welcome(host: str, address: str, login: Login) -> str:
    """What the owner reads on the terminal."""
    port = urlsplit(address).port
    others = "".join(f"For others: http://{one}:{port}\n" for one in reachable()) if host == "0.0.0.0" else ""
    return others + (
        f"Class code: {login.class_code}\nYou, without the password (works once): {address}login?{login.link}\n"
        "What travels is not encrypted: stay in a network that you trust, or put https before it."
    )


def serve_blocks(
    blocks: gr.Blocks,
    workspace: Workspace,
    host: str = "127.0.0.1",
    port: int | None = None,
    inline: bool = False,
    login: Login | None = None,
) -> str:
    """Serve what `build` made and give its address, without waiting."""
    routes = server.routes(workspace, login)
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
        "app_kwargs": {"routes": routes, "middleware": server.middleware(blocks, routes, host, login, inline)},
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
