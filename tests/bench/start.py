"""Second start to a usable page: Nudge beside a bare Gradio app with as many tabs.

    python -m tests.bench.start [rounds]

Wall clock from starting the process to the first enabled button in Chromium, medians of interleaved rounds. Both serve
the same way (`launch` on a free port, no browser of their own); Nudge has its workspace to open as well.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
BARE = """
import sys
import gradio as gr
with gr.Blocks() as demo:
    for number in range(int(sys.argv[2])):
        with gr.Tab(f"Tab {number}"):
            for field in range(12):
                gr.Textbox(label=f"Field {field}")
            gr.Button("Go")
demo.launch(server_port=int(sys.argv[1]), quiet=True, footer_links=[], run_history=False)
"""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def seconds_to_usable(command: list[str], port: int, browser: Browser) -> float:
    """Start `command`, wait until its page has an enabled button, and stop it."""
    started = time.perf_counter()
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    page = browser.new_page()
    try:
        while True:
            try:
                page.goto(f"http://127.0.0.1:{port}/")
                break
            except Error:
                if process.poll() is not None or time.perf_counter() - started > 120:
                    raise
                time.sleep(0.05)
        page.locator("button:visible:enabled").first.wait_for()
        return time.perf_counter() - started
    finally:
        page.close()
        process.terminate()
        process.wait()


def tab_count(browser: Browser, workspace: str) -> int:
    """How many tabs Nudge has; also its first start, which is not counted."""
    port = free_port()
    process = subprocess.Popen(nudge(workspace, port), cwd=ROOT, stdout=subprocess.DEVNULL)
    page = browser.new_page()
    try:
        for _ in range(600):
            try:
                page.goto(f"http://127.0.0.1:{port}/")
                break
            except Error:
                time.sleep(0.1)
        page.get_by_role("tab", include_hidden=True).first.wait_for(state="attached")
        return page.get_by_role("tab", include_hidden=True).count()
    finally:
        page.close()
        process.terminate()
        process.wait()


def nudge(workspace: str, port: int) -> list[str]:
    """The command that serves Nudge."""
    return [sys.executable, "run_lab.py", "--workspace", workspace, "--port", str(port), "--no-browser"]


def measure(rounds: int = 5) -> dict[str, float]:
    """Median seconds of both, and their ratio (below 1 is faster than bare Gradio)."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        tabs = tab_count(browser, folder + "/lab")
        ours, theirs = [], []
        for _ in range(rounds):
            port = free_port()
            theirs.append(seconds_to_usable([sys.executable, str(bare), str(port), str(tabs)], port, browser))
            port = free_port()
            ours.append(seconds_to_usable(nudge(folder + "/lab", port), port, browser))
        browser.close()
    medians = {"nudge": statistics.median(ours), "bare": statistics.median(theirs), "tabs": tabs}
    return medians | {"ratio": medians["nudge"] / medians["bare"]}


if __name__ == "__main__":
    for name, value in measure(*map(int, sys.argv[1:2])).items():
        print(f"{name:8} {value:.2f}")
