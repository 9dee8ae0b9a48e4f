"""A real Chromium on a real app. `pytest --slow` runs these; they need playwright and a Chromium.

`serve(workspace)` starts the app on a free port and gives its address; `app_page` is a browser page of the app over an
empty workspace; `new_page(width, height, dark)` makes more pages. `open_tab(page, "sft")` clicks the strip.
"""

from __future__ import annotations

import os
import shutil

import pytest

ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic",
]  # fmt: skip


def chromium() -> str | None:
    """Where a Chromium is, or None to let playwright look for its own."""
    named = os.environ.get("NUDGE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=30_000)  # a busy machine may take its time
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serve():
    """Start the app over a workspace (`tabs=[…]` for some tabs only, `login=…` for a class); gives its address. Stopped
    after the test."""
    from ui.app import build, serve_blocks

    running = []

    def start(workspace, login=None, **options) -> str:
        blocks = build(workspace, **options)
        running.append(blocks)
        return serve_blocks(blocks, workspace, login=login)

    yield start
    for blocks in running:
        blocks.close(verbose=False)


@pytest.fixture
def new_page(browser):
    """Make browser pages, each with its own storage. `page.problems` collects errors of its scripts, `page.asked` all
    requests."""
    contexts = []

    def make(address: str, width: int = 1280, height: int = 900, dark: bool = False):
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.problems, page.asked = [], []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.asked.append(request))
        page.goto(address)
        page.wait_for_selector("#nav-start, body.login")
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def workspace(tmp_path):
    """An empty real workspace."""
    from lab import open_workspace

    with open_workspace(tmp_path / "lab") as opened:
        yield opened


@pytest.fixture
def quick(tmp_path):
    """A real workspace whose training process takes steps without torch (see tests/fake_worker.py)."""
    from lab.launcher import Launcher
    from lab.workspace import Workspace
    from tests.parts import FAKE_WORKER

    folder = tmp_path / "lab"
    for part in ("runs", "datasets"):
        (folder / part).mkdir(parents=True)
    with Workspace(folder, Launcher(FAKE_WORKER)) as opened:
        yield opened
        for run in opened.runs.list():
            run.kill()


@pytest.fixture
def app_page(serve, new_page, workspace):
    """A page of the app over an empty real workspace."""
    return new_page(serve(workspace))


def open_tab(page, tab: str) -> None:
    """Go to a tab by the strip and wait until it is there."""
    page.click(f"#nav-{tab}")
    page.wait_for_selector(f"#tab-{tab}", state="visible")


def choose(page, dropdown: str, name: str | None = None) -> None:
    """Choose an option of a dropdown (the first one without a name) in its own list: another may still be closing."""
    box = page.locator(f"#{dropdown} input")
    box.click()
    options = page.locator(f"[id='{box.get_attribute('aria-controls')}']")
    (options.get_by_role("option", name=name, exact=True) if name else options.get_by_role("option").first).click()
