"""Owner and guest in a real Chromium: coming in, what each sees, and what happens when a guest asks for more."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from ui.login import Login

pytestmark = pytest.mark.browser

PASSWORD, CODE = "correct horse", "ABC234"


@pytest.fixture
def login():
    return Login(PASSWORD, CODE)


@pytest.fixture
def address(serve, workspace, login):
    return serve(workspace, login=login)


def join(page, name="Ana", code=CODE):
    page.fill("#name", name)
    page.fill("#code", code)
    page.click("#join")


def test_a_guest_joins_completes_and_sees_no_button_of_the_owners(new_page, address, tmp_path):
    page = new_page(address, 390, 844)
    folder = Path(os.environ.get("NUDGE_PICTURES", tmp_path))
    join(page, code="wrong")
    expect(page.get_by_role("alert")).to_contain_text("not the class code")
    assert page.input_value("#name") == "Ana"
    page.screenshot(path=folder / "login-390-light.png")
    join(page, code="abc234")
    expect(page.locator("#who")).to_have_text("Ana", timeout=30_000)
    refused = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status in (401, 403) else None)
    open_tab(page, "completion")
    expect(page.locator("#completion-text")).to_contain_text("Once there was", timeout=120_000)
    expect(page.locator("#completion-complete")).to_be_enabled(timeout=120_000)
    for tab, owners in (("sft", ["sft-start", "sft-file"]), ("history", ["history-sql-part"])):
        open_tab(page, tab)
        expect(page.locator(f"#tab-{tab} h1")).to_be_visible()
        for hidden in owners:
            expect(page.locator(f"#{hidden}")).to_be_hidden()
    expect(page.locator("#sft-data-chats")).not_to_be_empty(timeout=60_000)
    assert refused == [] and page.problems == []


def test_a_guest_who_asks_for_more_is_told_whose_it_is(new_page, address):
    page = new_page(address)
    join(page)
    page.wait_for_selector("#nav-start")
    open_tab(page, "sft")
    page.evaluate("document.documentElement.classList.remove('guest')")  # as somebody could
    page.click("#sft-start")
    expect(page.locator(".owners-word")).to_have_text("This is for the owner of this Nudge.", timeout=30_000)


def test_the_owner_has_the_class_code_at_hand(new_page, address, login, tmp_path):
    page = new_page(f"{address}login?{login.link}")
    page.click("#tool-people", timeout=30_000)
    dialog = page.get_by_role("dialog", name="People")
    expect(dialog).to_contain_text(CODE)
    page.screenshot(path=Path(os.environ.get("NUDGE_PICTURES", tmp_path)) / "people-1280-light.png")
    page.on("dialog", lambda question: question.accept())
    page.click("#people-code")
    expect(dialog).not_to_contain_text(CODE)
    expect(page.locator("html.guest")).to_have_count(0)


def test_a_page_whose_visit_ended_goes_back_to_the_door(new_page, address, login):
    page = new_page(address, dark=True)
    join(page)
    page.wait_for_selector("#nav-start")
    login.change_code()
    page.wait_for_selector("body.login", timeout=30_000)
    page.click("summary")
    page.fill("#password", PASSWORD)
    page.click("#log-in")
    expect(page.locator("#tool-people")).to_be_visible(timeout=30_000)
