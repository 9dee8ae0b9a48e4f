"""The frame in a real Chromium: the strip, the address, keys, theme, presenter view, every width."""

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.fake_workspace import FakeRun, FakeWorkspace
from ui import app

pytestmark = pytest.mark.browser

RUNS = [FakeRun("r1", name="first try")]
TABS = [tab for tab in app.TABS if find_spec(f"ui.tabs.{tab}")]


@pytest.fixture
def start(serve, new_page):
    return new_page(serve(FakeWorkspace(RUNS), tabs=["start", "sft"]))


def test_the_page_asks_nobody_else(start):
    start.wait_for_selector("#start-recent li")
    hosts = {urlsplit(request.url).hostname for request in start.asked if request.url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert start.problems == []


def test_first_view(start):
    assert start.locator("h1").inner_text() == "From raw text to assistant, one nudge at a time."
    assert len(start.locator("h1").inner_text().split()) <= 10
    expect(start.locator("#start-show")).to_be_enabled()
    assert "first try" in start.locator("#start-recent").inner_text()


def test_light_and_dark_follow_the_system_and_then_the_person(serve, new_page):
    address = serve(FakeWorkspace(RUNS), tabs=["start"])
    page = new_page(address, dark=True)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(19, 20, 23)"
    page.click("#tool-theme")
    assert page.evaluate(paper) == "rgb(251, 250, 247)"
    page.reload()
    page.wait_for_selector("#nav-start")
    assert page.evaluate(paper) == "rgb(251, 250, 247)"


def test_keys_are_shown_and_silent_while_typing(start):
    start.keyboard.press("?")
    dialog = start.get_by_role("dialog", name="Keys of this page")
    expect(dialog).to_contain_text("presenter view")
    start.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    start.evaluate("document.querySelector('h1').append(Object.assign(document.createElement('input'), {id: 'typed'}))")
    start.locator("#typed").press_sequentially("?pt")
    expect(dialog).to_have_count(0)
    assert start.locator("#typed").input_value() == "?pt"
    expect(start.locator("body.presenting")).to_have_count(0)


def test_presenter_view_shows_one_thing_after_another(start):
    start.wait_for_selector("#start-recent li")
    start.keyboard.press("p")
    assert start.evaluate("getComputedStyle(document.documentElement).fontSize") == "24px"
    expect(start.locator("#start-map")).to_be_visible()
    expect(start.locator("#start-recent")).to_be_hidden()
    start.keyboard.press("Space")
    expect(start.locator("#start-map")).to_be_hidden()
    expect(start.locator("#start-recent")).to_be_visible()
    start.keyboard.press("p")
    expect(start.locator("#start-map")).to_be_visible()


def test_the_strip_goes_everywhere_and_the_address_remembers(app_page):
    for tab in TABS:
        open_tab(app_page, tab)
        expect(app_page.locator(f"#nav-{tab}")).to_have_attribute("aria-current", "page")
        expect(app_page.locator("h1:visible")).to_have_count(1)
        assert app_page.url.endswith(f"#{tab}")
    app_page.go_back()
    expect(app_page.locator(f"#tab-{TABS[-2]}")).to_be_visible()
    app_page.reload()
    expect(app_page.locator(f"#tab-{TABS[-2]}")).to_be_visible()
    assert app_page.problems == []


def test_the_strip_is_for_the_keyboard_too(app_page):
    app_page.locator("#nav-start").focus()
    app_page.keyboard.press("Tab")
    app_page.keyboard.press("Enter")
    expect(app_page.locator(f"#tab-{TABS[1]}")).to_be_visible()


def test_the_tour_walks_through_the_story(app_page):
    app_page.click("#start-show")
    tour = app_page.locator("aside.tour")
    expect(app_page.locator("#tab-completion")).to_be_visible()
    expect(tour).to_contain_text("1 of 4")
    app_page.click("#tour-next")
    expect(app_page.locator("#tab-sft")).to_be_visible()
    app_page.reload()
    expect(tour).to_contain_text("2 of 4")
    app_page.click("#tour-next")
    app_page.click("#tour-next")
    expect(app_page.locator("#tab-compare")).to_be_visible()
    app_page.click("#tour-next")
    expect(tour).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_every_page_fits_its_window(serve, new_page, workspace, tmp_path, width, dark):
    """No page scrolls sideways. The pictures lie in NUDGE_PICTURES, when that is set, for somebody to look at."""
    folder = Path(os.environ.get("NUDGE_PICTURES", tmp_path))
    page = new_page(serve(workspace), width, 844 if width == 390 else 1080, dark)
    for tab in TABS:
        open_tab(page, tab)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"{tab}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, tab
    assert page.problems == []
